import type { KeyedRandom } from "@omni-id/data/plain";

export interface ChooseTokensOptions {
  /** Share of the target's tokens that the decoder does not see (paper: 0.95). */
  maskRatio: number;
  /** K, tokens to decode: the visible ones, then those of the face, then others. */
  count: number;
}

export interface ChosenTokens {
  index: number[];
  visible: boolean[];
}

/**
 * The random mask M of equation 5 for one target. The loss sees pixels of the face only, so hidden tokens outside
 * the face need not be decoded: of 256 tokens about 100 matter.
 * @param face 1 where a token touches the face mask
 */
export function chooseTokens(
  random: KeyedRandom,
  face: ArrayLike<number>,
  { maskRatio, count }: ChooseTokensOptions,
): ChosenTokens {
  const order = random.choose(face.length);
  const shown = Math.round(face.length * (1 - maskRatio));
  const hidden = order.slice(shown);
  const index = [
    ...order.slice(0, shown),
    ...hidden.filter((token) => face[token]),
    ...hidden.filter((token) => !face[token]),
  ].slice(0, count);
  return { index, visible: index.map((_, place) => place < shown) };
}

/** For each token of a square picture's grid: 1 where it touches the mask, one byte a pixel. */
export function touchedTokens(mask: Uint8Array, side: number, patchSize: number): Uint8Array {
  const across = side / patchSize;
  const touched = new Uint8Array(across * across);
  for (const [i, byte] of mask.entries()) {
    const [row, column] = [Math.floor(i / side), i % side].map((place) => Math.floor(place / patchSize));
    touched[row * across + column] |= Number(byte > 0);
  }
  return touched;
}
