import { scope, type Tensor } from "@omni-id/torch";

/**
 * Peak signal-to-noise ratio of pictures `[B, 3, S, S]` in [−1, 1], dB.
 * @param mask the pixels that count, 0 or 1, `[B, 1, S, S]`; all when absent
 */
export function psnr(made: Tensor, truth: Tensor, mask?: Tensor): number {
  return scope(() => {
    const squares = made.sub(truth).square().mean([1], { keepdim: true });
    const error = mask ? squares.mul(mask).sum().div(mask.sum().clampMin(1)) : squares.mean();
    return 10 * Math.log10(4 / error.item());
  });
}
