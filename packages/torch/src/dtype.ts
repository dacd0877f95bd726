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

/** Arrays that tensors are made from and read into; a {@link HalfArray} makes one too. */
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

/** A `Float16Array`, which Node has from 24 on, and TypeScript's libraries only by their newest name. */
export interface HalfArray extends ArrayLike<number>, ArrayBufferView {
  readonly [Symbol.toStringTag]: "Float16Array";
  readonly BYTES_PER_ELEMENT: number;
}

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
export function dtypeOfArray(array: TypedArray | HalfArray): DType {
  const dtype = ownDTypes[array[Symbol.toStringTag]]; // by name: an array of a vm context is no instance of ours
  if (dtype) return dtype;
  const bits = array[Symbol.toStringTag] === "Uint16Array";
  throw new TypeError(
    `a ${array[Symbol.toStringTag]} has no dtype of its own; ${
      bits ? 'pass { dtype: "bfloat16" } or { dtype: "float16" } for 16-bit floats' : "convert it first"
    }`,
  );
}

const ownDTypes: Readonly<Record<string, DType | undefined>> = {
  Float32Array: "float32",
  Float64Array: "float64",
  Float16Array: "float16",
  BigInt64Array: "int64",
  Int32Array: "int32",
  Int16Array: "int16",
  Int8Array: "int8",
  Uint8Array: "uint8",
  Uint8ClampedArray: "uint8",
};
