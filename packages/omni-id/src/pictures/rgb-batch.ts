import type { RgbImage } from "@omni-id/face";
import { scope, stack, type Tensor, tensor } from "@omni-id/torch";

/**
 * Plain pictures of one size as a batch, `[N, 3, H, W]` uint8.
 * @throws when the pictures differ in size
 */
export function rgbBatch(images: readonly RgbImage[]): Tensor {
  const [{ width, height }] = images;
  const odd = images.find((image) => image.width !== width || image.height !== height);
  if (odd)
    throw new Error(`a batch of pictures wants one size: ${width}×${height}, but one is ${odd.width}×${odd.height}`);
  return scope(() =>
    stack(images.map((image) => tensor(image.data, { shape: [height, width, 3] })))
      .permute([0, 3, 1, 2])
      .contiguous(),
  );
}

/** uint8 0…255 to float32 in [−1, 1]. */
export function toUnit(pixels: Tensor): Tensor {
  return scope(() => pixels.float().div(127.5).sub(1));
}
