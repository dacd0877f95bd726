import { arange, cat, F, scope, stack, type Tensor, tensor } from "@omni-id/torch";

/**
 * Moves the five points of each picture onto a template, with gradients to the pixels: the crops that recognisers
 * want, as part of a loss.
 * @param images `[B, 3, S, S]` @param points five landmarks, `[B, 5, 2]`, pixels (first centre at 0.5)
 * @param template ten numbers in pixels of the crop @returns `[B, 3, size, size]`
 */
export function cropBatch(images: Tensor, points: Tensor, template: ArrayLike<number>, size: number): Tensor {
  return scope(() => {
    const side = images.shape[images.ndim - 1];
    const matrix = templateToImage(points.float(), template); // [B, 2, 3]
    const centres = arange(size, { dtype: "float32" }).add(0.5);
    const x = centres.unsqueeze(0).expand([size, size]);
    const y = centres.unsqueeze(1).expand([size, size]);
    const places = stack([x, y, x.detach().mul(0).add(1)], -1).reshape([1, size * size, 3]);
    const grid = places.matmul(matrix.transpose(1, 2)).reshape([-1, size, size, 2]);
    // grid_sample's −1 and 1 are the outer edges of the picture.
    return F.gridSample(images.float(), grid.mul(2 / side).sub(1), { paddingMode: "border", alignCorners: false });
  });
}

/** Least-squares similarity from the template to each picture's points, `[B, 2, 3]` (see `similarity`). */
function templateToImage(points: Tensor, template: ArrayLike<number>): Tensor {
  const from = tensor(Float32Array.from(template), { shape: [5, 2] });
  const fromMean = from.mean([0]);
  const centred = from.sub(fromMean);
  const mean = points.mean([1]); // [B, 2]
  const moved = points.sub(mean.unsqueeze(1));
  const size = centred.square().sum();
  const a = centred.mul(moved).sum([1, 2]).div(size);
  const [cx, cy] = [centred.select(1, 0), centred.select(1, 1)];
  const b = cx
    .mul(moved.select(2, 1))
    .sub(cy.mul(moved.select(2, 0)))
    .sum([1])
    .div(size);
  const [fx, fy] = [fromMean.select(0, 0), fromMean.select(0, 1)];
  const tx = mean.select(1, 0).sub(a.mul(fx)).add(b.mul(fy));
  const ty = mean.select(1, 1).sub(b.mul(fx)).sub(a.mul(fy));
  const rows = [stack([a, b.neg(), tx], 1), stack([b, a, ty], 1)].map((row) => row.unsqueeze(1));
  return cat(rows, 1);
}
