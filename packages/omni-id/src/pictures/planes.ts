import type { RgbImage } from "@omni-id/face/plain";

/** A picture as planes of float32 in [−1, 1], `[3, H, W]`: what `toUnit` makes of its bytes. */
export function unitPlanes({ width, height, data }: RgbImage): Float32Array {
  const size = width * height;
  return Float32Array.from(
    { length: 3 * size },
    (_, i) => Math.fround(data[3 * (i % size) + Math.floor(i / size)] / 127.5) - 1,
  );
}

/** The inverse: planes `[3, side, side]` in [−1, 1] as bytes, as `toRgb` makes them. */
export function rgbOf(planes: Float32Array, side: number): RgbImage {
  const size = side * side;
  const bytes = new Uint8ClampedArray(3 * size); // it rounds halves to even, as LibTorch does
  for (let i = 0; i < 3 * size; i++)
    bytes[3 * (i % size) + Math.floor(i / size)] = Math.fround(Math.fround(planes[i] + 1) * 127.5);
  return { width: side, height: side, data: new Uint8Array(bytes.buffer) };
}
