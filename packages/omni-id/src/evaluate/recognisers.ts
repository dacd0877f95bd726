import {
  ARCFACE_TEMPLATE,
  cropBatch,
  DLIB_TEMPLATE,
  IndependentRecogniser,
  modelFile,
  recogniserModel,
} from "@omni-id/face";
import { F, importOnnx, scope, type Tensor } from "@omni-id/torch";
import { recogniserInput } from "../backbones/recogniser.ts";
import { cosines, distances } from "./reconstruct.ts";

/** A face recogniser as a measure of likeness. */
export interface Judge {
  measure: "euclidean" | "cosine";
  /** Faces `[N, 3, S, S]` in [−1, 1], five landmarks `[N, 5, 2]` → features `[N, D]`. */
  embed(faces: Tensor, points: Tensor): Tensor;
  /** Row by row; of a distance lower is closer, of a cosine higher. */
  compare(a: Tensor, b: Tensor): number[];
}

/** Judges, or what they said, by name: the two of the house, and further ones. */
export type Judges<T> = { independent: T; backbone: T } & Record<string, T>;

/**
 * The two judges. `independent` (dlib's 128-d network) is the headline: nothing here is trained through it.
 * `backbone` is also the nano encoder's backbone and may be part of its loss: it flatters us.
 */
export function loadJudges(): Judges<Judge> {
  const dlib = IndependentRecogniser.load();
  const network = importOnnx(modelFile(recogniserModel));
  return {
    independent: {
      measure: "euclidean",
      embed: (faces, points) => scope(() => dlib.embed(cropBatch(faces, points, DLIB_TEMPLATE, 150))),
      compare: distances,
    },
    backbone: {
      measure: "cosine",
      embed: (faces, points) =>
        scope(() => {
          const crops = cropBatch(faces, points, ARCFACE_TEMPLATE, 112);
          return F.normalize(network.forward(recogniserInput(crops)), { dim: 1 });
        }),
      compare: cosines,
    },
  };
}
