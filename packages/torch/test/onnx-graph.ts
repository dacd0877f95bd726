import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { type DType, fromTypedArray, Tensor, tensor } from "@omni-id/torch";
import { keepOnnxRuntimeQuiet } from "@omni-id/torch/environment";
import { messageType } from "../src/onnx/proto.ts";

keepOnnxRuntimeQuiet();
const ort = await import("onnxruntime-node");
type OrtSession = Awaited<ReturnType<typeof ort.InferenceSession.create>>;

/** AttributeProto values: whole numbers become ints unless they are wrapped by {@link float}. */
export type AttributeValue =
  | number
  | number[]
  | string
  | string[]
  | Tensor
  | { float: number }
  | { floats: number[] }
  | { graph: InnerGraph };
/** A graph inside a node: it takes what it needs from around it. */
export interface InnerGraph {
  nodes: NodeSpec[];
  stored?: Record<string, Tensor>;
  outputs: Record<string, DType>;
}
export const float = (value: number) => ({ float: value });

export interface NodeSpec {
  op: string;
  name?: string;
  domain?: string;
  inputs: string[];
  outputs: string[];
  attributes?: Record<string, AttributeValue>;
}
export interface GraphSpec {
  nodes: NodeSpec[];
  /** Values fed; their shapes are written into the file, with this batch size instead of the first dimension. */
  inputs: Record<string, Tensor>;
  batch?: number;
  stored?: Record<string, Tensor>;
  outputs: string[];
  opset?: number;
}

const ELEMENT: Partial<Record<DType, number>> = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float64: 11 };

function tensorProto(name: string, value: Tensor) {
  const array = value.toTypedArray();
  const rawData = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return { name, dims: [...value.shape], dataType: ELEMENT[value.dtype], rawData };
}

const isTexts = (value: AttributeValue): value is string[] => Array.isArray(value) && typeof value[0] === "string";

function innerProto(name: string, { nodes, stored = {}, outputs }: InnerGraph): object {
  return {
    name,
    node: nodes.map(nodeProto),
    initializer: Object.entries(stored).map(([key, value]) => tensorProto(key, value)),
    output: Object.entries(outputs).map(([key, dtype]) => ({
      name: key,
      type: { tensorType: { elemType: ELEMENT[dtype] } },
    })),
  };
}

function nodeProto(node: NodeSpec, i: number): object {
  return {
    name: node.name ?? `node${i}`,
    opType: node.op,
    domain: node.domain ?? "",
    input: node.inputs,
    output: node.outputs,
    attribute: Object.entries(node.attributes ?? {}).map(attributeProto),
  };
}

function attributeProto([name, value]: [string, AttributeValue]): object {
  if (typeof value === "number") return { name, type: 2, i: value };
  if (typeof value === "string") return { name, type: 3, s: Buffer.from(value) };
  if (isTexts(value)) return { name, type: 8, strings: value.map((text) => Buffer.from(text)) };
  if (Array.isArray(value)) return { name, type: 7, ints: value };
  if (value instanceof Tensor) return { name, type: 4, t: tensorProto("", value) };
  if ("graph" in value) return { name, type: 5, g: innerProto(name, value.graph) };
  if ("float" in value) return { name, type: 1, f: value.float };
  return { name, type: 6, floats: value.floats };
}

/** A graph as the bytes of an ONNX file, written through the same message types that the importer reads by. */
export function onnxBytes({ nodes, inputs, batch, stored = {}, outputs, opset = 17 }: GraphSpec): Uint8Array {
  const shapeOf = (value: Tensor) => value.shape.map((size, i) => (i === 0 && batch !== undefined ? batch : size));
  const Model = messageType("ModelProto");
  const model = {
    irVersion: 8,
    opsetImport: [{ domain: "", version: opset }],
    graph: {
      name: "test",
      node: nodes.map(nodeProto),
      initializer: Object.entries(stored).map(([name, value]) => tensorProto(name, value)),
      input: Object.entries(inputs).map(([name, value]) => ({
        name,
        type: {
          tensorType: {
            elemType: ELEMENT[value.dtype],
            shape: { dim: shapeOf(value).map((dimValue) => ({ dimValue })) },
          },
        },
      })),
      output: outputs.map((name) => ({ name })),
    },
  };
  return Model.encode(Model.fromObject(model)).finish();
}

/** Runs `fn` on a file with these bytes. */
export function withFile<T>(bytes: Uint8Array, fn: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "omni-id-onnx-"));
  try {
    const path = join(folder, "model.onnx");
    writeFileSync(path, bytes);
    return fn(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const toOrt = (value: Tensor) => {
  const array = value.toTypedArray();
  return new ort.Tensor(
    value.dtype as "float32",
    (value.dtype === "bool" ? Uint8Array.from(array as Uint8Array) : array) as Float32Array,
    value.shape,
  );
};

function fromOrt({ type, data, dims }: InstanceType<typeof ort.Tensor>): Tensor {
  const dtype = type as DType;
  return dtype === "bool"
    ? tensor(Array.from(data as Uint8Array, Boolean), { shape: dims })
    : fromTypedArray(data as Float32Array, dims, { dtype });
}

/** The reference: onnxruntime-node on the same file. */
export async function runReference(model: Uint8Array | string, feeds: Record<string, Tensor>): Promise<Tensor[]> {
  const options = { logSeverityLevel: 3, graphOptimizationLevel: "disabled" } as const;
  const session = await (typeof model === "string"
    ? ort.InferenceSession.create(model, options)
    : ort.InferenceSession.create(model, options));
  return runSession(session, feeds);
}

/** The same with an opened session, of Node's or the web's runtime: their tensors are one class. */
export async function runSession(
  session: OrtSession,
  feeds: Record<string, Tensor>,
  { keep = false } = {},
): Promise<Tensor[]> {
  const inputs = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, toOrt(value)]));
  const results = await session.run(inputs);
  if (!keep) await session.release();
  return session.outputNames.map((name) => fromOrt(results[name]));
}

/** A model of the asset package that set-up fetches. */
export function assetModel(file: string): string {
  const cache = process.env.OMNI_ID_CACHE || join(homedir(), ".cache", "omni-id");
  return join(cache, "assets", "faceplugin-face-recognition-js@0.0.1", "package", "model", file);
}
