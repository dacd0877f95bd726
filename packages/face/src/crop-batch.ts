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

/**
 * For each picture the inverse of the least-squares similarity from its points to the template (see `similarity`):
 * where a pixel of the crop lies in the picture, `[B, 2, 3]`.
 */
function templateToImage(points: Tensor, template: ArrayLike<number>): Tensor {
  const to = tensor(Float32Array.from(template), { shape: [5, 2] });
  const toMean = to.mean([0]);
  const wanted = to.sub(toMean); // [5, 2]
  const fromMean = points.mean([1]); // [B, 2]
  const from = points.sub(fromMean.unsqueeze(1)); // [B, 5, 2]
  const size = from.square().sum([1, 2]);
  const a = from.mul(wanted).sum([1, 2]).div(size);
  const cross = from
    .select(2, 0)
    .mul(wanted.select(1, 1))
    .sub(from.select(2, 1).mul(wanted.select(1, 0)));
  const b = cross.sum([1]).div(size);
  // The inverse of [a −b; b a] is its transpose over a² + b².
  const length = a.square().add(b.square());
  const [c, s] = [a.div(length), b.div(length)];
  const [tx, ty] = [toMean.select(0, 0), toMean.select(0, 1)];
  const x = fromMean.select(1, 0).sub(c.mul(tx)).sub(s.mul(ty));
  const y = fromMean.select(1, 1).add(s.mul(tx)).sub(c.mul(ty));
  const rows = [stack([c, s, x], 1), stack([s.neg(), c, y], 1)].map((row) => row.unsqueeze(1));
  return cat(rows, 1);
}
