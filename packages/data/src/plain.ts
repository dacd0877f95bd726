/** What needs neither Node nor any library: it runs in a browser too. */
export { KeyedRandom } from "./random.ts";
export { mean } from "./statistics.ts";
