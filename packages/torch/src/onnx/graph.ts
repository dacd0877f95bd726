import type { DType, TypedArray } from "../dtype.ts";
import { fromTypedArray } from "../factories.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { type AttributeProto, type GraphProto, type NodeProto, type TensorProto, toNumber } from "./proto.ts";

export type Attribute = number | number[] | string | Tensor;

/** A node of the graph as the operators see it. */
export interface GraphNode {
  name: string;
  op: string;
  inputs: string[];
  outputs: string[];
  attributes: ReadonlyMap<string, Attribute>;
}

export interface Graph {
  nodes: GraphNode[];
  initialisers: Map<string, Tensor>;
  inputs: string[];
  outputs: string[];
}

/** Turns the decoded file into plain data and tensors. Tensors are kept out of scopes. */
export function toGraph(path: string, proto: GraphProto): Graph {
  const initialisers = new Map(proto.initializer.map((tensor) => [tensor.name, toTensor(path, tensor)]));
  return {
    nodes: proto.node.map((node) => toNode(path, node)),
    initialisers,
    // Before IR version 4 initialisers are inputs too.
    inputs: proto.input.map(({ name }) => name).filter((name) => !initialisers.has(name)),
    outputs: proto.output.map(({ name }) => name),
  };
}

function toNode(path: string, { name, opType, domain, input, output, attribute }: NodeProto): GraphNode {
  const foreign = domain && domain !== "ai.onnx" ? `${domain}.` : "";
  const attributes = new Map(attribute.map((one) => [one.name, toAttribute(path, one)]));
  return { name: name || output[0], op: foreign + opType, inputs: input, outputs: output, attributes };
}

function toAttribute(path: string, attribute: AttributeProto): Attribute {
  switch (attribute.type) {
    case 1:
      return attribute.f;
    case 2:
      return toNumber(attribute.i);
    case 3:
      return Buffer.from(attribute.s).toString("utf8");
    case 4:
      if (attribute.t) return toTensor(path, attribute.t);
      break;
    case 6:
      return [...attribute.floats];
    case 7:
      return attribute.ints.map(toNumber);
  }
  throw new Error(`${path}: attribute "${attribute.name}" is of a kind (${attribute.type}) that is not supported`);
}

interface Element {
  dtype: DType;
  array: new (buffer: ArrayBuffer) => TypedArray;
}

/** TensorProto.DataType */
const ELEMENTS: Readonly<Record<number, Element>> = {
  1: { dtype: "float32", array: Float32Array },
  2: { dtype: "uint8", array: Uint8Array },
  6: { dtype: "int32", array: Int32Array },
  7: { dtype: "int64", array: BigInt64Array },
  9: { dtype: "bool", array: Uint8Array },
  10: { dtype: "float16", array: Uint16Array },
  11: { dtype: "float64", array: Float64Array },
};

function toTensor(path: string, proto: TensorProto): Tensor {
  const element = ELEMENTS[proto.dataType];
  const name = proto.name || "a constant";
  if (!element) throw new Error(`${path}: ${name} has element type ${proto.dataType}, which is not supported`);
  if (proto.dataLocation === 1)
    throw new Error(`${path}: ${name} lies in another file; save the model with its weights inside`);
  const shape = proto.dims.map(toNumber);
  return scope(() => fromTypedArray(values(proto, element), shape, { dtype: element.dtype }).keep());
}

function values(proto: TensorProto, { dtype, array }: Element): TypedArray {
  if (proto.rawData.length > 0) {
    const copy = Uint8Array.from(proto.rawData); // aligned, and cut loose from the file's bytes
    return new array(copy.buffer);
  }
  switch (dtype) {
    case "float32":
      return Float32Array.from(proto.floatData);
    case "float64":
      return Float64Array.from(proto.doubleData);
    case "int64":
      return BigInt64Array.from(proto.int64Data.map((value) => BigInt(toNumber(value))));
    case "int32":
      return Int32Array.from(proto.int32Data);
    case "float16":
      return Uint16Array.from(proto.int32Data);
    default:
      return Uint8Array.from(proto.int32Data);
  }
}
