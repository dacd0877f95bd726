import type { DType } from "./dtype.ts";
import { native } from "./native.ts";

const known = new Map<DType, boolean>();

/** Whether this LibTorch has a dtype: float8 came with 2.1, uint16 to uint64 with 2.3. */
export function hasDType(dtype: DType): boolean {
  const answer = known.get(dtype) ?? probe(dtype);
  known.set(dtype, answer);
  return answer;
}

function probe(dtype: DType): boolean {
  try {
    native.release(native.fromBuffer(new ArrayBuffer(0), [0], dtype, true));
    return true;
  } catch {
    return false;
  }
}
