import { wrap } from "./dispatch.ts";
import type { DType } from "./dtype.ts";
import { native } from "./native.ts";
import type { Tensor } from "./tensor.ts";

/**
 * A tensor on bytes of a file, memory-mapped: nothing is read until it is used, and processes share the pages.
 * The mapping is private (writing to the tensor never changes the file) and lives as long as the tensor's memory,
 * views included. An offset that is not a multiple of the element size is copied instead.
 *
 * @throws when the file cannot be opened or the bytes lie outside it
 */
export function mapTensorFile(
  path: string,
  { byteOffset, dtype, shape }: { byteOffset: number; dtype: DType; shape: readonly number[] },
): Tensor {
  return wrap(native.mapFile(path, byteOffset, dtype, shape));
}
