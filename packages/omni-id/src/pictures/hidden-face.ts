import { KeyedRandom } from "@omni-id/data/plain";
import type { RgbImage } from "@omni-id/face/plain";
import { alignFace } from "./aligned.ts";
import { type ChosenTokens, chooseTokens, touchedTokens } from "./hidden-tokens.ts";
import { unitPlanes } from "./planes.ts";

export interface HiddenFaceOptions {
  /** Side of the aligned crop, in pixels. */
  imageSize: number;
  /** Side of the decoder's patches, in pixels. */
  patchSize: number;
  maskRatio: number;
  /** Tokens that the decoder learned to decode (the preset's `mtd.tokens`): where these are all, it is asked for all. */
  tokens?: number;
  /** Seed of the mask. */
  seed?: number;
}

/** One face, most of it hidden, as plain numbers; pixels in [−1, 1], planes `[3, S, S]`. */
export class HiddenFace {
  readonly side: number;
  /** The face, aligned. */
  readonly truth: Float32Array;
  /** 0 or 1, `[S, S]`. */
  readonly mask: Uint8Array;
  /** Five landmarks in pixels of the crop. */
  readonly points: Float32Array;
  /** The tokens that are decoded, and which of them are shown. */
  readonly tokens: ChosenTokens;
  readonly #patch: number;

  constructor(image: RgbImage, landmarks: Float32Array, options: HiddenFaceOptions) {
    const { imageSize, patchSize, maskRatio, tokens = 0, seed = 7 } = options;
    const { crop, mask, points } = alignFace(image, landmarks, imageSize);
    this.side = imageSize;
    this.truth = unitPlanes(crop);
    this.mask = mask.map((byte) => Number(byte > 127));
    this.points = points;
    this.#patch = patchSize;
    const face = touchedTokens(this.mask, imageSize, patchSize);
    const shown = Math.round(face.length * (1 - maskRatio));
    const touching = Math.min(face.length, face.reduce((sum, bit) => sum + bit, 0) + shown);
    const count = tokens >= face.length ? face.length : touching;
    this.tokens = chooseTokens(new KeyedRandom(seed), face, { maskRatio, count });
  }

  /** What the decoder is shown; grey elsewhere. */
  visible(): Float32Array {
    const { side, tokens } = this;
    const across = side / this.#patch;
    const shown = new Set(tokens.index.filter((_, i) => tokens.visible[i]));
    return this.truth.map((value, i) => {
      const [row, column] = [Math.floor((i % side ** 2) / side), i % side].map((place) =>
        Math.floor(place / this.#patch),
      );
      return shown.has(row * across + column) ? value : 0;
    });
  }

  /** A reconstruction with the target around the face, for pictures. */
  paste(made: Float32Array): Float32Array {
    return made.map((value, i) => (this.mask[i % this.mask.length] ? value : this.truth[i]));
  }

  /** Mean absolute difference inside the face, pixels in 0…1. */
  l1(made: Float32Array): number {
    const inside = this.mask.reduce((sum, bit) => sum + bit, 0);
    const sum = made.reduce(
      (all, v, i) => all + (this.mask[i % this.mask.length] ? Math.abs(v - this.truth[i]) : 0),
      0,
    );
    return sum / (6 * Math.max(1, inside));
  }
}
