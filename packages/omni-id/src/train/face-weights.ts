import { scope, type Tensor, tensor } from "@omni-id/torch";
import type { People } from "../people/people.ts";

/**
 * How much each token of a picture counts in its flow loss: so many times as much where it touches the face, with a mean of
 * 1 in each picture. In a scene a face is a tenth of the picture, and all that an identity is asked for.
 */
export class FaceWeights {
  readonly #face: (row: number) => Uint8Array;
  readonly #weight: number;

  /** @param patchSize side of a token, in pixels */
  constructor(people: People, { patchSize, weight }: { patchSize: number; weight: number }) {
    this.#face = people.faceTokens(patchSize);
    this.#weight = weight;
  }

  /** Of some rows' pictures, `[B, N]` float32. */
  of(rows: readonly number[]): Tensor {
    return scope(() => {
      const weights = touched(rows, this.#face)
        .mul(this.#weight - 1)
        .add(1);
      return weights.div(weights.mean([1], { keepdim: true }));
    });
  }
}

/** Weights of some rows' pictures by which nothing but faces counts, `[B, N]` float32: a mean of 1, 0 for every other token. */
export function facesAlone(people: People, rows: readonly number[], patchSize: number): Tensor {
  return scope(() => {
    const faces = touched(rows, people.faceTokens(patchSize));
    return faces.div(faces.mean([1], { keepdim: true }).clampMin(1 / faces.shape[1]));
  });
}

/** 1 where a token touches the face, else 0. */
function touched(rows: readonly number[], face: (row: number) => Uint8Array): Tensor {
  return tensor(rows.map((row) => Array.from(face(row)))).float();
}

/** Undefined where all tokens count alike, in the same bits as without any weights. */
export function faceWeights(people: People, options: { patchSize: number; weight: number }): FaceWeights | undefined {
  return options.weight === 1 ? undefined : new FaceWeights(people, options);
}
