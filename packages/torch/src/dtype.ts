/**
 * Element types, by PyTorch's names. Not every LibTorch has the last row (float8 came with 2.1, wider unsigned integers
 * with 2.3): {@link hasDType} says whether this one does.
 */
export type DType =
  | ("float32" | "float64" | "bfloat16" | "float16" | "int64" | "int32" | "uint8" | "bool")
  | ("int16" | "int8" | "complex64")
  | ("float8_e4m3fn" | "float8_e5m2" | "uint16" | "uint32" | "uint64");
/** How dimensions lie in memory, by PyTorch's names. */
export type MemoryFormat = "contiguous" | "channels_last" | "preserve";

/** Arrays that tensors are made from and read into. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array;

/**
 * What each dtype is in memory. Floats of 16 and 8 bits have no typed array of their own: their bits are seen. A complex
 * number is its real part, then its imaginary part.
 */
const layouts = {
  float32: { bytes: 4, array: Float32Array },
  float64: { bytes: 8, array: Float64Array },
  bfloat16: { bytes: 2, array: Uint16Array },
  float16: { bytes: 2, array: Uint16Array },
  int64: { bytes: 8, array: BigInt64Array },
  int32: { bytes: 4, array: Int32Array },
  uint8: { bytes: 1, array: Uint8Array },
  bool: { bytes: 1, array: Uint8Array },
  int16: { bytes: 2, array: Int16Array },
  int8: { bytes: 1, array: Int8Array },
  complex64: { bytes: 8, array: Float32Array },
  float8_e4m3fn: { bytes: 1, array: Uint8Array },
  float8_e5m2: { bytes: 1, array: Uint8Array },
  uint16: { bytes: 2, array: Uint16Array },
  uint32: { bytes: 4, array: Uint32Array },
  uint64: { bytes: 8, array: BigUint64Array },
} as const satisfies Record<DType, unknown>;

export function isDType(name: string): name is DType {
  return Object.hasOwn(layouts, name);
}

/** Bytes of one element. */
export function elementSize(dtype: DType): number {
  return layouts[dtype].bytes;
}

/** Whether a dtype holds fractions. */
export function isFloatingPoint(dtype: DType): boolean {
  return dtype.includes("float");
}

/** Floats whose elements are read as float32, since JavaScript has no array of them. */
export function isNarrowFloat(dtype: DType): boolean {
  return isFloatingPoint(dtype) && layouts[dtype].bytes < 4;
}

/** The shape of a tensor's elements as numbers: a complex one is two. */
export function numberShape(dtype: DType, shape: readonly number[]): readonly number[] {
  return dtype === "complex64" ? [...shape, 2] : shape;
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
  if (array instanceof Int16Array) return "int16";
  if (array instanceof Int8Array) return "int8";
  if (array instanceof Uint8Array || array instanceof Uint8ClampedArray) return "uint8";
  throw new TypeError(
    `a ${array.constructor.name} has no dtype of its own; pass { dtype: "bfloat16" } or { dtype: "float16" } for 16-bit floats`,
  );
}
