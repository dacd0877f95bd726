import { arange, cat, ones, op, scope, type Tensor } from "@omni-id/torch";

const polar = op("aten::polar") as (abs: Tensor, angle: Tensor) => Tensor;
const viewAsComplex = op("aten::view_as_complex") as (x: Tensor) => Tensor;
const viewAsReal = op("aten::view_as_real") as (x: Tensor) => Tensor;

export interface RopeOptions {
  /** Channels of a head that turn with each coordinate of a position; even numbers. */
  axes: readonly number[];
  theta: number;
}

/**
 * The rotations of rotary position embedding (flux/math.py): channel pair i of an axis with d channels turns by
 * position · θ^(−2i/d). Positions `ids [S, A]` or `[B, S, A]` → unit complex numbers `[S, D/2]` or `[B, S, D/2]`.
 */
export function ropeTable(ids: Tensor, { axes, theta }: RopeOptions): Tensor {
  return scope(() => {
    const wide = ids.double();
    const angles = axes.map((channels, axis) => {
      const omega = arange(0, channels, 2, { dtype: "float64", device: ids.device })
        .mul(-Math.log(theta) / channels)
        .exp();
      return wide.select(-1, axis).unsqueeze(-1).mul(omega);
    });
    const angle = cat(angles, -1).float();
    return polar(ones([1], { device: ids.device }).expand(angle.shape), angle);
  });
}

/** Turns adjacent channel pairs of `x [B, S, …, D]` float32 by `table`, which lacks the dimensions between S and D. */
export function rotate(x: Tensor, table: Tensor): Tensor {
  return scope(() => {
    const pairs = viewAsComplex(x.unflatten(-1, [-1, 2]));
    const [channels, tokens, ...batch] = [...table.shape].reverse();
    const between = Array<number>(x.ndim - 3).fill(1);
    return viewAsReal(pairs.mul(table.view([...batch, tokens, ...between, channels]))).flatten(-2);
  });
}
