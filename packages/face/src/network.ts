import type { RgbImage } from "./picture-types.ts";

/** An opened network of one input: all that face analysis asks of a runtime, in Node and in a browser. */
export interface Network {
  /** Outputs as float32 arrays, in the model's order. */
  run(input: Float32Array, shape: readonly number[]): Promise<Float32Array[]>;
}

/** Planes instead of interleaved colours, `(x − mean) / deviation` a channel: what networks take. */
export function toPlanes(
  { width, height, data }: RgbImage,
  mean: readonly [number, number, number],
  deviation: readonly [number, number, number],
): Float32Array {
  const size = width * height;
  const planes = new Float32Array(3 * size);
  for (let c = 0; c < 3; c++) {
    const values = Float32Array.from({ length: 256 }, (_, byte) => (byte - mean[c]) / deviation[c]);
    for (let i = 0, from = c, to = c * size; i < size; i++, from += 3, to++) planes[to] = values[data[from]];
  }
  return planes;
}
