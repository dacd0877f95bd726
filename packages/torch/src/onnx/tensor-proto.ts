import { type DType, isFloatingPoint, type TypedArray } from "../dtype.ts";
import { fromTypedArray } from "../factories.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { type TensorProto, toNumber } from "./proto.ts";

/** TensorProto.DataType: what tensors and casts may be. */
export const ELEMENT_TYPES: Readonly<Record<number, DType>> = {
  1: "float32",
  2: "uint8",
  6: "int32",
  7: "int64",
  9: "bool",
  10: "float16",
  11: "float64",
  16: "bfloat16",
};

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/**
 * A tensor out of the file, kept out of scopes.
 * @throws when its element type is not supported, or its values are elsewhere or not as many as its shape says
 */
export function toTensor(path: string, proto: TensorProto): Tensor {
  const name = proto.name ? `tensor "${proto.name}"` : "a constant";
  const dtype = ELEMENT_TYPES[proto.dataType];
  if (!dtype) throw new Error(`${path}: ${name} has element type ${proto.dataType}, which is not supported`);
  if (proto.dataLocation === 1)
    throw new Error(`${path}: ${name} lies in another file; save the model with its weights inside`);
  const shape = proto.dims.map(toNumber);
  try {
    // Whole numbers are sizes and places, which operators read: on the CPU.
    const device = isFloatingPoint(dtype) ? undefined : "cpu";
    return scope(() => fromTypedArray(values(proto, dtype), shape, { dtype, device }).keep());
  } catch (error) {
    throw new Error(`${path}: ${name}: ${(error as Error).message}`);
  }
}

function values(proto: TensorProto, dtype: DType): TypedArray {
  if (proto.rawData.length > 0) {
    const copy = Uint8Array.from(proto.rawData); // aligned, and cut loose from the file's bytes
    return new arrays[dtype](copy.buffer);
  }
  switch (dtype) {
    case "float32":
      return Float32Array.from(proto.floatData);
    case "float64":
      return Float64Array.from(proto.doubleData);
    case "int64":
      return BigInt64Array.from(proto.int64Data.map((value) => BigInt(toNumber(value))));
    default:
      return arrays[dtype].from(proto.int32Data);
  }
}
