/** Element types, by PyTorch's names. */
export type DType = "float32" | "float64" | "bfloat16" | "float16" | "int64" | "int32" | "uint8" | "bool";
/** How dimensions lie in memory, by PyTorch's names. */
export type MemoryFormat = "contiguous" | "channels_last" | "preserve";

/** Arrays that tensors are made from and read into. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array;

/** What each dtype is in memory. 16-bit floats have no typed array of their own: their bits are seen as Uint16Array. */
const layouts = {
  float32: { bytes: 4, array: Float32Array },
  float64: { bytes: 8, array: Float64Array },
  bfloat16: { bytes: 2, array: Uint16Array },
  float16: { bytes: 2, array: Uint16Array },
  int64: { bytes: 8, array: BigInt64Array },
  int32: { bytes: 4, array: Int32Array },
  uint8: { bytes: 1, array: Uint8Array },
  bool: { bytes: 1, array: Uint8Array },
} as const satisfies Record<DType, unknown>;

export function isDType(name: string): name is DType {
  return Object.hasOwn(layouts, name);
}

/** Bytes of one element. */
export function elementSize(dtype: DType): number {
  return layouts[dtype].bytes;
}

/** Whether a dtype has gradients. */
export function isFloatingPoint(dtype: DType): boolean {
  return dtype === "float32" || dtype === "float64" || dtype === "bfloat16" || dtype === "float16";
}

/** A typed array over the raw elements of a buffer; the bits, for 16-bit floats. */
export function viewBuffer(buffer: ArrayBuffer, dtype: DType): TypedArray {
  return new layouts[dtype].array(buffer);
}

/** The dtype whose elements a typed array holds. */
export function dtypeOfArray(array: TypedArray): DType {
  if (array instanceof Float32Array) return "float32";
  if (array instanceof Float64Array) return "float64";
  if (array instanceof BigInt64Array) return "int64";
  if (array instanceof Int32Array) return "int32";
  if (array instanceof Uint8Array || array instanceof Uint8ClampedArray) return "uint8";
  throw new TypeError(
    `a ${array.constructor.name} has no dtype of its own; pass { dtype: "bfloat16" } or { dtype: "float16" } for 16-bit floats`,
  );
}
