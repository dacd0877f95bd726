/** What needs neither LibTorch nor Node: it runs in a browser too. */
export { halfBits } from "./half.ts";
export { MersenneTwister, normalDraws } from "./normal-draws.ts";
export { encodeSafetensors, parseSafetensors, type SafetensorsBytes } from "./safetensors/in-memory.ts";
