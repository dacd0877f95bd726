import { KeyedRandom } from "@omni-id/data/plain";

/**
 * A seed that depends on its key alone. LibTorch's Mersenne Twister reads 32 bits of a seed, so the key is mixed into
 * these.
 */
export const keyedSeed = (...key: number[]): number => new KeyedRandom(...key).below(2 ** 32);
