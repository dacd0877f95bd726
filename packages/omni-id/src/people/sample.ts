import { KeyedRandom } from "@omni-id/data";
import type { People } from "./people.ts";

/** Rows spread over all people, the same for every run. */
export function sample(people: People, count: number): number[] {
  const rows = people.ids.length * people.images;
  return new KeyedRandom(rows, count).choose(rows, Math.min(rows, count));
}
