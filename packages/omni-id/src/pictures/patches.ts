import { scope, type Tensor } from "@omni-id/torch";

/**
 * A picture as tokens, `[B, C, H, W] → [B, (H/p)·(W/p), C·p·p]`: the masked decoder's patches of pixels, and FLUX's
 * packing of 2×2 latents.
 */
export function patchify(x: Tensor, p: number): Tensor {
  return scope(() => {
    const [b, c, h, w] = x.shape;
    return x
      .reshape([b, c, h / p, p, w / p, p])
      .permute([0, 2, 4, 1, 3, 5])
      .reshape([b, (h / p) * (w / p), c * p * p]);
  });
}

/** The inverse of {@link patchify}: `[B, N, C·p·p] → [B, C, rows·p, columns·p]`; a square picture without `grid`. */
export function unpatchify(tokens: Tensor, p: number, grid?: readonly [rows: number, columns: number]): Tensor {
  return scope(() => {
    const [b, n, values] = tokens.shape;
    const [rows, columns] = grid ?? [Math.round(Math.sqrt(n)), Math.round(Math.sqrt(n))];
    const c = values / (p * p);
    return tokens
      .reshape([b, rows, columns, c, p, p])
      .permute([0, 3, 1, 4, 2, 5])
      .reshape([b, c, rows * p, columns * p]);
  });
}
