import type { IndependentRecogniser } from "@omni-id/face";
import { cat, F, noGrad, op, scope, type Tensor } from "@omni-id/torch";
import { chunk } from "../people/chunk.ts";
import { rowsOf } from "./generation-protocol.ts";

/** Side of the pictures that the network looks at, in pixels. */
const SIDE = 150;

/**
 * Features by which pictures of faces are compared as sets, `[N, 3, S, S]` in [−1, 1] → `[N, 128]`: the channels of the
 * independent recogniser's third stage, whom nothing is trained through, as means over the picture. They tell what a
 * picture is made of rather than whom it shows.
 */
export function pictureFeatures(recogniser: IndependentRecogniser, pictures: Tensor): Tensor {
  return scope(() =>
    noGrad(() => {
      const parts = chunk([...Array(pictures.shape[0]).keys()], 64).map((some) =>
        scope(() => {
          const size: [number, number] = [SIDE, SIDE];
          const large = F.interpolate(rowsOf(pictures, some).float(), { size, mode: "bilinear" });
          return recogniser.inner(large);
        }),
      );
      return cat(parts);
    }),
  );
}

/**
 * Fréchet distance of two sets of features `[N, D]` and `[M, D]`, each taken for a normal distribution (Heusel et al.
 * 2017): |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½). It falls with the number of pictures: compare distances of equally many.
 * @throws for fewer than two pictures in a set
 */
export function frechetDistance(a: Tensor, b: Tensor): number {
  for (const { shape } of [a, b]) {
    if (shape[0] < 2) throw new RangeError(`${shape[0]} pictures have no spread; two are the least`);
  }
  return scope(() =>
    noGrad(() => {
      const [one, two] = [a, b].map(momentsOf);
      const root = squareRoot(one.covariance);
      const [values] = eigen(root.matmul(two.covariance).matmul(root));
      const shared = values.clampMin(0).sqrt().sum().item();
      const apart = one.mean.sub(two.mean).square().sum().item();
      return Math.max(0, apart + trace(one.covariance) + trace(two.covariance) - 2 * shared);
    }),
  );
}

function momentsOf(features: Tensor): { mean: Tensor; covariance: Tensor } {
  const all = features.double();
  const mean = all.mean([0]);
  const centred = all.sub(mean);
  return {
    mean,
    covariance: centred
      .transpose(0, 1)
      .matmul(centred)
      .div(all.shape[0] - 1),
  };
}

const eigen = (symmetric: Tensor) => op("aten::linalg_eigh")(symmetric, "L") as [Tensor, Tensor];

const trace = (square: Tensor): number => square.diagonal().sum().item();

/** Of a symmetric matrix without negative eigenvalues. */
function squareRoot(symmetric: Tensor): Tensor {
  const [values, vectors] = eigen(symmetric);
  return vectors.mul(values.clampMin(0).sqrt()).matmul(vectors.transpose(0, 1));
}
