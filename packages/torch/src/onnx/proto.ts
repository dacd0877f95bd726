import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { INamespace, Root, Type } from "protobufjs";

/** The part of onnx.proto (github.com/onnx/onnx, IR version 3 and later) that a graph of plain tensors uses. */
const field = (id: number, type: string, repeated = false) =>
  repeated ? { id, type, rule: "repeated" } : { id, type };
const MESSAGES: INamespace = {
  nested: {
    ModelProto: {
      fields: {
        irVersion: field(1, "int64"),
        graph: field(7, "GraphProto"),
        opsetImport: field(8, "OperatorSetIdProto", true),
      },
    },
    OperatorSetIdProto: { fields: { domain: field(1, "string"), version: field(2, "int64") } },
    GraphProto: {
      fields: {
        node: field(1, "NodeProto", true),
        name: field(2, "string"),
        initializer: field(5, "TensorProto", true),
        input: field(11, "ValueInfoProto", true),
        output: field(12, "ValueInfoProto", true),
      },
    },
    NodeProto: {
      fields: {
        input: field(1, "string", true),
        output: field(2, "string", true),
        name: field(3, "string"),
        opType: field(4, "string"),
        attribute: field(5, "AttributeProto", true),
        domain: field(7, "string"),
      },
    },
    AttributeProto: {
      fields: {
        name: field(1, "string"),
        f: field(2, "float"),
        i: field(3, "int64"),
        s: field(4, "bytes"),
        t: field(5, "TensorProto"),
        g: field(6, "GraphProto"),
        floats: field(7, "float", true),
        ints: field(8, "int64", true),
        strings: field(9, "bytes", true),
        type: field(20, "int32"),
      },
    },
    TensorProto: {
      fields: {
        dims: field(1, "int64", true),
        dataType: field(2, "int32"),
        floatData: field(4, "float", true),
        int32Data: field(5, "int32", true),
        int64Data: field(7, "int64", true),
        name: field(8, "string"),
        rawData: field(9, "bytes"),
        doubleData: field(10, "double", true),
        uint64Data: field(11, "uint64", true),
        externalData: field(13, "StringStringEntryProto", true),
        dataLocation: field(14, "int32"),
      },
    },
    StringStringEntryProto: { fields: { key: field(1, "string"), value: field(2, "string") } },
    ValueInfoProto: { fields: { name: field(1, "string"), type: field(2, "TypeProto") } },
    TypeProto: { fields: { tensorType: field(1, "TensorTypeProto") } },
    TensorTypeProto: { fields: { elemType: field(1, "int32"), shape: field(2, "TensorShapeProto") } },
    TensorShapeProto: { fields: { dim: field(1, "DimensionProto", true) } },
    DimensionProto: { fields: { dimValue: field(1, "int64"), dimParam: field(2, "string") } },
  },
};

type Long = number | { toNumber(): number; toString(): string };

export interface TensorProto {
  dims: Long[];
  dataType: number;
  floatData: number[];
  int32Data: number[];
  int64Data: Long[];
  doubleData: number[];
  uint64Data: Long[];
  externalData: { key: string; value: string }[];
  name: string;
  rawData: Uint8Array;
  dataLocation: number;
}
export interface AttributeProto {
  name: string;
  f: number;
  i: Long;
  s: Uint8Array;
  t: TensorProto | null;
  g: GraphProto | null;
  strings: Uint8Array[];
  floats: number[];
  ints: Long[];
  type: number;
}
export interface NodeProto {
  input: string[];
  output: string[];
  name: string;
  opType: string;
  domain: string;
  attribute: AttributeProto[];
}
export interface ValueInfoProto {
  name: string;
  type: { tensorType: { shape: { dim: { dimValue: Long; dimParam: string }[] } | null } | null } | null;
}
export interface GraphProto {
  node: NodeProto[];
  initializer: TensorProto[];
  input: ValueInfoProto[];
  output: ValueInfoProto[];
}
interface ModelProto {
  graph: GraphProto | null;
  opsetImport: { domain: string; version: Long }[];
}

/** Exactly: numbers hold whole values up to 2^53 only. */
export const toBigInt = (value: Long): bigint => BigInt(value.toString());
export const toNumber = (value: Long): number => (typeof value === "number" ? value : value.toNumber());

/** @internal The message types, for tests that write graphs. */
export function messageType(name: string): Type {
  root ??= (createRequire(import.meta.url)("protobufjs") as typeof import("protobufjs")).Root.fromJSON(MESSAGES);
  return root.lookupType(name);
}
/** Made when the first file is read: most who import this package read none. */
let root: Root | undefined;

export interface OnnxFile {
  graph: GraphProto;
  /** Version of the standard operators: some mean another thing in old versions. */
  opset: number;
}

/** @throws when the file is missing or is no ONNX model */
export function readModel(path: string): OnnxFile {
  const bytes = readFileSync(path);
  let model: ModelProto;
  try {
    model = messageType("ModelProto").decode(bytes) as unknown as ModelProto;
  } catch (error) {
    throw new Error(`${path}: no ONNX model (${(error as Error).message})`);
  }
  const { graph, opsetImport } = model;
  if (!graph || graph.node.length === 0) throw new Error(`${path}: no ONNX model (it holds no graph)`);
  const standard = opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx");
  return { graph, opset: standard ? toNumber(standard.version) : 1 };
}
