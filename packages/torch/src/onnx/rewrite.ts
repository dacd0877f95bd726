import { halfBits } from "../half.ts";
import { type AttributeProto, messageType, type NodeProto, type TensorProto } from "./proto.ts";

export interface RewriteOptions {
  /** Another name for the first output. */
  first?: string;
  /** Values inside the graph that become outputs too, after those that there are, and their names as such. */
  outputs?: Readonly<Record<string, string>>;
  /** float16 stores large float32 weights in half the room; the graph widens them again. */
  weights?: "float32" | "float16";
}

const FLOAT = 1;
const HALF = 10;
/** Weights of fewer numbers stay as they are. */
const FEW = 1024;

/**
 * An ONNX file with other outputs, or with weights in half the room; its operators stay as they are.
 * @throws when the bytes are no ONNX model, or it has no value of a name
 */
export function rewriteOnnx(
  bytes: Uint8Array,
  { first, outputs = {}, weights = "float32" }: RewriteOptions,
): Uint8Array {
  const Model = messageType("ModelProto");
  const model = Model.decode(bytes) as unknown as {
    irVersion: number;
    graph: { node: NodeProto[]; initializer: TensorProto[]; output: { name: string }[] } | null;
  };
  const { graph } = model;
  if (!graph) throw new Error("no ONNX model (it holds no graph)");
  const made = new Set(graph.node.flatMap(({ output }) => output));
  const added = (value: string, name: string): void => {
    if (!made.has(value)) throw new Error(`this ONNX model has no value "${value}"`);
    graph.node.push({ input: [value], output: [name], name, opType: "Identity", domain: "", attribute: [] });
  };
  if (first !== undefined) {
    added(graph.output[0].name, first);
    graph.output[0].name = first;
  }
  for (const [value, name] of Object.entries(outputs)) {
    added(value, name);
    graph.output.push({ name });
  }
  if (weights === "float16") graph.node = [...halve(graph.initializer, graph.node), ...graph.node];
  return Model.encode(Model.fromObject(model)).finish();
}

/** Stores weights as float16, in place; the nodes that widen them. */
function halve(stored: readonly TensorProto[], nodes: readonly NodeProto[]): NodeProto[] {
  const wide = new Map<string, string>();
  for (const tensor of stored) {
    const values = floatsOf(tensor);
    if (!values || values.length < FEW) continue;
    Object.assign(tensor, { dataType: HALF, rawData: new Uint8Array(halfBits(values).buffer), floatData: [] });
    wide.set(tensor.name, `${tensor.name}/float32`);
  }
  for (const node of nodes) node.input = node.input.map((name) => wide.get(name) ?? name);
  return [...wide].map(([name, output]) => ({
    input: [name],
    output: [output],
    name: output,
    opType: "Cast",
    domain: "",
    attribute: [{ name: "to", type: 2, i: FLOAT } as AttributeProto],
  }));
}

function floatsOf({ dataType, rawData, floatData }: TensorProto): Float32Array | undefined {
  if (dataType !== FLOAT) return undefined;
  return rawData.length > 0 ? new Float32Array(Uint8Array.from(rawData).buffer) : Float32Array.from(floatData);
}
