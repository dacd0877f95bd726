import { scope, type Tensor, tensor } from "@omni-id/torch";
import type { People } from "../people/people.ts";
import type { FlowPreset } from "../presets/schema.ts";

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
      const faces = rows.map((row) => Array.from(this.#face(row)));
      const weights = tensor(faces)
        .float()
        .mul(this.#weight - 1)
        .add(1);
      return weights.div(weights.mean([1], { keepdim: true }));
    });
  }
}

/** Those of a preset's tokens; undefined where all count alike. */
export function faceWeights(
  people: People,
  { weight, preset: { latents, packing } }: { weight: number; preset: FlowPreset },
): FaceWeights | undefined {
  if (weight === 1) return undefined;
  const patch = "patchSize" in latents ? latents.patchSize : latents.kind === "flux2" ? 16 : 8;
  return new FaceWeights(people, { patchSize: patch * packing, weight });
}
