import { arange, cat, scope, stack, type Tensor } from "@omni-id/torch";

export interface RopeOptions {
  /** Channels of a head that turn with each coordinate of a position; even numbers. */
  axes: readonly number[];
  theta: number;
}

/**
 * The rotations of rotary position embedding (flux/math.py): channel pair i of an axis with d channels turns by
 * position · θ^(−2i/d). Positions `ids [S, A]` or `[B, S, A]` → (cos, sin) of each pair, side by side, `[S, D]` or
 * `[B, S, D]` float32.
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
    return stack([angle.cos(), angle.sin()], -1).flatten(-2);
  });
}
