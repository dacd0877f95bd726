import { halfBits } from "../half.ts";
import { type AttributeProto, messageType, type NodeProto, type TensorProto, toNumber } from "./proto.ts";

export interface RewriteOptions {
  /** Another name for the first output. */
  first?: string;
  /** Values inside the graph that become outputs too, after those that there are, and their names as such. */
  outputs?: Readonly<Record<string, string>>;
  /**
   * float16 stores large float32 weights in half the room, int8 in a quarter: whole numbers of −127 to 127 with a factor for
   * each channel of the result. The graph widens them again.
   */
  weights?: "float32" | "float16" | "int8";
}

const [FLOAT, INT8, HALF] = [1, 3, 10];
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
    graph.node.push(node("Identity", [value], name));
  };
  if (first !== undefined) {
    added(graph.output[0].name, first);
    graph.output[0].name = first;
  }
  for (const [value, name] of Object.entries(outputs)) {
    added(value, name);
    graph.output.push({ name });
  }
  if (weights !== "float32") graph.node = [...narrow(graph, weights), ...graph.node];
  return Model.encode(Model.fromObject(model)).finish();
}

interface Graph {
  node: NodeProto[];
  initializer: TensorProto[];
}

/** Stores large weights in fewer bits, in place; the nodes that widen them. */
function narrow(graph: Graph, weights: "float16" | "int8"): NodeProto[] {
  const wide = new Map<string, string>();
  const added: NodeProto[] = [];
  for (const tensor of [...graph.initializer]) {
    const values = floatsOf(tensor);
    if (!values || values.length < FEW) continue;
    const { name, dims } = tensor;
    const [whole, widened] = [`${name}/widened`, `${name}/float32`];
    wide.set(name, widened);
    if (weights === "float16" || dims.length < 2) {
      Object.assign(tensor, { dataType: HALF, rawData: bytesOf(halfBits(values)), floatData: [] });
      added.push(node("Cast", [name], widened, [toFloat]));
      continue;
    }
    const { whole: numbers, factors } = byChannel(values, toNumber(dims[0]));
    Object.assign(tensor, { dataType: INT8, rawData: bytesOf(numbers), floatData: [] });
    const factor = { name: `${name}/factors`, dims: [factors.length, ...dims.slice(1).map(() => 1)], dataType: FLOAT };
    graph.initializer.push({ ...factor, rawData: bytesOf(factors) } as TensorProto);
    added.push(node("Cast", [name], whole, [toFloat]), node("Mul", [whole, factor.name], widened));
  }
  for (const one of graph.node) one.input = one.input.map((name) => wide.get(name) ?? name);
  return added;
}

const toFloat = { name: "to", type: 2, i: FLOAT } as AttributeProto;

function node(opType: string, input: string[], output: string, attribute: AttributeProto[] = []): NodeProto {
  return { input, output: [output], name: output, opType, domain: "", attribute };
}

/** Each channel, one after the other, as whole numbers of at most 127 and the factor that makes them what they were. */
function byChannel(values: Float32Array, channels: number): { whole: Int8Array; factors: Float32Array } {
  const size = values.length / channels;
  const factors = Float32Array.from({ length: channels }, (_, c) => {
    const most = values.subarray(c * size, (c + 1) * size).reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    return most / 127 || 1;
  });
  return { whole: Int8Array.from(values, (value, i) => Math.round(value / factors[Math.floor(i / size)])), factors };
}

const bytesOf = ({ buffer }: Uint16Array | Int8Array | Float32Array) => new Uint8Array(buffer);

function floatsOf({ dataType, rawData, floatData }: TensorProto): Float32Array | undefined {
  if (dataType !== FLOAT) return undefined;
  return rawData.length > 0 ? new Float32Array(Uint8Array.from(rawData).buffer) : Float32Array.from(floatData);
}
