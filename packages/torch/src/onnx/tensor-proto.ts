import { existsSync } from "node:fs";
import { dirname, isAbsolute, join, normalize, relative } from "node:path";
import { defaultDevice } from "../device.ts";
import { type DType, elementSize, isFloatingPoint, type TypedArray, viewBuffer } from "../dtype.ts";
import { fromTypedArray } from "../factories.ts";
import { mapTensorFile } from "../mapped-file.ts";
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
 * @throws when its element type is not supported, or its values are in a file that is not there, or not as many as its shape says
 */
export function toTensor(path: string, proto: TensorProto): Tensor {
  const name = proto.name ? `tensor "${proto.name}"` : "a constant";
  const dtype = ELEMENT_TYPES[proto.dataType];
  if (!dtype) throw new Error(`${path}: ${name} has element type ${proto.dataType}, which is not supported`);
  const shape = proto.dims.map(toNumber);
  try {
    if (proto.dataLocation === 1) return externalTensor(path, proto, { dtype, shape });
    // Whole numbers are sizes and places, which operators read: on the CPU.
    const device = isFloatingPoint(dtype) ? undefined : "cpu";
    return scope(() => fromTypedArray(values(proto, dtype), shape, { dtype, device }).keep());
  } catch (error) {
    throw new Error(`${path}: ${name}: ${(error as Error).message}`);
  }
}

/**
 * A tensor whose bytes lie in a file beside the model, memory-mapped: models above 2 GB keep their weights so.
 * @throws when the file is missing, too short, or not beside the model
 */
function externalTensor(path: string, proto: TensorProto, { dtype, shape }: { dtype: DType; shape: number[] }): Tensor {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location") ?? "";
  const folder = dirname(path);
  const file = normalize(join(folder, location));
  // A weight beside its model is an honest wish, a path out of that folder is not.
  if (location === "" || isAbsolute(location) || relative(folder, file).startsWith("..")) {
    throw new Error(`it lies in ${JSON.stringify(location)}, which is no file beside the model`);
  }
  if (!existsSync(file)) throw new Error(`it lies in ${location}, which is not beside the model; fetch it too`);
  const bytes = shape.reduce((size, n) => size * n, elementSize(dtype));
  const length = entries.get("length");
  if (length !== undefined && Number(length) !== bytes) {
    throw new Error(`${dtype} [${shape.join(", ")}] needs ${bytes} bytes, but has ${length} in ${location}`);
  }
  const mapped = () => mapTensorFile(file, { byteOffset: Number(entries.get("offset") ?? 0), dtype, shape });
  const device = isFloatingPoint(dtype) ? defaultDevice() : "cpu";
  return scope(() => mapped().to(device).keep());
}

function values(proto: TensorProto, dtype: DType): TypedArray {
  if (proto.rawData.length > 0) {
    const copy = Uint8Array.from(proto.rawData); // aligned, and cut loose from the file's bytes
    const array = viewBuffer(copy.buffer, dtype);
    return array instanceof Float32Array ? withoutVanished(array) : array;
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

/** Below this a weight adds nothing to what float32 can hold beside the others. */
const NOTHING = 1e-20;
/** Fewer numbers than this may be constants of a formula and no weights. */
const LEAST = 16;

/**
 * Weight decay leaves thousands of weights below the normal range; processors take a hundred times as long for
 * products with them, and no answer changes when they are zero.
 */
function withoutVanished(values: Float32Array): Float32Array {
  if (values.length < LEAST) return values;
  for (let i = 0; i < values.length; i++) if (Math.abs(values[i]) < NOTHING) values[i] = 0;
  return values;
}
