import { type DType, elementSize, isFloatingPoint, type TypedArray, viewBuffer } from "../dtype.ts";
import { fromTypedArray } from "../factories.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { type TensorProto, toBigInt, toNumber } from "./proto.ts";

/** TensorProto.DataType: what tensors and casts may be. */
export const ELEMENT_TYPES: Readonly<Record<number, DType>> = {
  1: "float32",
  2: "uint8",
  3: "int8",
  4: "uint16",
  5: "int16",
  6: "int32",
  7: "int64",
  9: "bool",
  10: "float16",
  11: "float64",
  12: "uint32",
  13: "uint64",
  16: "bfloat16",
};

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
    return viewBuffer(copy.buffer, dtype);
  }
  switch (dtype) {
    case "float32":
      return Float32Array.from(proto.floatData);
    case "float64":
      return Float64Array.from(proto.doubleData);
    case "int64":
      return BigInt64Array.from(proto.int64Data, toBigInt);
    case "uint64":
      return BigUint64Array.from(proto.uint64Data, toBigInt);
    case "uint32":
      return Uint32Array.from(proto.uint64Data, toNumber);
    default: {
      const array = viewBuffer(new ArrayBuffer(proto.int32Data.length * elementSize(dtype)), dtype);
      for (const [i, value] of proto.int32Data.entries()) array[i] = value;
      return array;
    }
  }
}
