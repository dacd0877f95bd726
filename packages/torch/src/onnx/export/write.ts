import { basename } from "node:path";
import { writeAtomically } from "../../atomic-file.ts";
import { type DType, elementSize } from "../../dtype.ts";
import { fromTypedArray } from "../../factories.ts";
import { scope } from "../../scope.ts";
import { messageType } from "../proto.ts";
import {
  type ExportAttribute,
  type ExportNode,
  elementCode,
  type GraphBuilder,
  type Stored,
  type Value,
} from "./builder.ts";
import { type FreeSize, isPlain, type Size } from "./sizes.ts";

const OPSET = 17;
/** Protocol buffers hold no more than 2 GB. */
const TWO_GB = 2 ** 31 - 2 ** 20;

/** Weights of fewer bytes stay as they are: scalars and norms are worth more than they take. */
const HALVED = 4096;

interface WrittenGraph {
  nodes: readonly ExportNode[];
  stored: ReadonlyMap<string, Stored>;
}

interface Described {
  name: string;
  dtype: DType;
  shape: readonly Size[];
}

/** An input or output of a graph. */
export interface SignatureValue {
  name: string;
  dtype: DType;
  shape: (number | string)[];
}

export interface WeightOptions {
  /**
   * In how many bits large float32 weights are stored; the graph widens those of 16 again. `float16`: in 16, but for a
   * module's buffers. `lossless`: in 16 where every
   * value of a weight is one of float16, as where they were read from a file of that.
   */
  weights?: "float32" | "float16" | "lossless";
}

export interface SaveOptions extends WeightOptions {
  /** From how many bytes of weights on these lie in a file of their own beside the model, NAME.data. */
  externalFrom?: number;
}

/** An exported graph, to be written. Its weights are read when it is. */
export class OnnxExport {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly #builder: GraphBuilder;
  readonly #described: { inputs: readonly Described[]; outputs: readonly Described[] };
  readonly #symbols: readonly FreeSize[];
  readonly #statistics: ReadonlySet<string>;

  /** @internal Use `exportOnnx`. */
  constructor({
    builder,
    inputs,
    outputs,
    symbols,
    statistics,
  }: {
    builder: GraphBuilder;
    inputs: readonly Described[];
    outputs: ReadonlyMap<string, Value>;
    symbols: readonly FreeSize[];
    /** Names of a module's buffers: their smallest values matter. */
    statistics: ReadonlySet<string>;
  }) {
    this.#statistics = statistics;
    this.#builder = builder;
    this.#symbols = symbols;
    this.inputs = inputs.map(({ name }) => name);
    this.outputs = [...outputs.keys()];
    // A value of its own for each output: one may be an input, a weight, or another output too.
    const named = [...outputs].map(([name, value]) => {
      builder.nodes.push({ op: "Identity", inputs: [value.name], outputs: [name], attributes: {} });
      return { ...value, name };
    });
    this.#described = { inputs, outputs: named };
  }

  /** Operators of the graph, in order. */
  get operators(): string[] {
    return this.#builder.nodes.map(({ op }) => op);
  }

  /** The file's bytes, weights inside. @throws above 2 GB: use {@link save} */
  bytes({ weights = "float32" }: WeightOptions = {}): Uint8Array {
    const graph = this.#graph(weights);
    const size = weightBytes(graph);
    if (size > TWO_GB) throw new Error(`the weights take ${size} bytes, more than one ONNX file holds; use save()`);
    return this.#encode(graph, ({ name, stored }) => ({ ...tensorHead(name, stored), rawData: bytesOf(stored) }));
  }

  /** Writes the file, atomically; weights that are too large for it go into a file beside it. */
  save(path: string, { externalFrom = TWO_GB, weights = "float32" }: SaveOptions = {}): void {
    const graph = this.#graph(weights);
    if (weightBytes(graph) < externalFrom) {
      writeAtomically(path, [this.bytes({ weights })]);
      return;
    }
    const file = `${path}.data`;
    let offset = 0;
    const bytes = this.#encode(graph, ({ name, stored }) => {
      const length = lengthOf(stored);
      const entries = { location: basename(file), offset: String(offset), length: String(length) };
      offset += length;
      const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
      return { ...tensorHead(name, stored), dataLocation: 1, externalData };
    });
    writeAtomically(file, all(graph.stored.values()));
    writeAtomically(path, [bytes]);
  }

  /** The graph as it is written: with weights of 16 bits, each is widened once before it is used. */
  #graph(weights: NonNullable<WeightOptions["weights"]>): WrittenGraph {
    const { nodes, stored } = this.#builder;
    if (weights === "float32") return { nodes, stored };
    const large = [...stored].filter(([, one]) => one.dtype === "float32" && lengthOf(one) >= HALVED);
    const halved = large.filter(([name, one]) => (weights === "float16" ? !this.#statistics.has(name) : isHalf(one)));
    const wide = new Map(halved.map(([name]) => [name, `${name}/float32`]));
    const casts = [...wide].map(([name, output]) => ({
      op: "Cast",
      inputs: [name],
      outputs: [output],
      attributes: { to: elementCode("float32") },
    }));
    return {
      nodes: [
        ...casts,
        ...nodes.map((node) => ({ ...node, inputs: node.inputs.map((name) => wide.get(name) ?? name) })),
      ],
      stored: new Map([...stored].map(([name, one]) => [name, wide.has(name) ? halfOf(one) : one])),
    };
  }

  #encode(graph: WrittenGraph, tensor: (entry: { name: string; stored: Stored }) => object): Uint8Array {
    const Model = messageType("ModelProto");
    const model = {
      irVersion: 8,
      opsetImport: [{ domain: "", version: OPSET }],
      graph: {
        name: "omni-id",
        node: graph.nodes.map(nodeProto),
        initializer: [...graph.stored].map(([name, stored]) => tensor({ name, stored })),
        input: this.#described.inputs.map((value) => this.#valueInfo(value)),
        output: this.#described.outputs.map((value) => this.#valueInfo(value)),
      },
    };
    return Model.encode(Model.fromObject(model)).finish();
  }

  /** Inputs and outputs as the file describes them: a size is a number, or the name of one that is free. */
  get signature(): { inputs: SignatureValue[]; outputs: SignatureValue[] } {
    const { inputs, outputs } = this.#described;
    return { inputs: inputs.map((one) => this.#signed(one)), outputs: outputs.map((one) => this.#signed(one)) };
  }

  #signed({ name, dtype, shape }: Described): SignatureValue {
    const sizes = shape.map((size, axis) => {
      if (isPlain(size)) return size;
      const symbol = this.#symbols.find(({ first, second }) => first === size.first && second === size.second);
      return symbol?.name ?? `${name}_${axis}`;
    });
    return { name, dtype, shape: sizes };
  }

  #valueInfo(described: Described): object {
    const { name, dtype, shape } = this.#signed(described);
    const dim = shape.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size }));
    return { name, type: { tensorType: { elemType: elementCode(dtype), shape: { dim } } } };
  }
}

function nodeProto({ op, inputs, outputs, attributes }: ExportNode): object {
  return {
    name: outputs[0],
    opType: op,
    input: inputs,
    output: outputs,
    attribute: Object.entries(attributes).map(attributeProto),
  };
}

function attributeProto([name, value]: [string, ExportAttribute]): object {
  if (typeof value === "number") return { name, type: 2, i: value };
  if (typeof value === "string") return { name, type: 3, s: Buffer.from(value) };
  return "float" in value ? { name, type: 1, f: value.float } : { name, type: 7, ints: value };
}

const tensorHead = (name: string, { dtype, shape }: Stored) => ({
  name,
  dims: [...shape],
  dataType: elementCode(dtype),
});

const lengthOf = ({ dtype, shape }: Stored): number => shape.reduce((size, n) => size * n, elementSize(dtype));

const weightBytes = ({ stored }: WrittenGraph): number =>
  [...stored.values()].reduce((sum, one) => sum + lengthOf(one), 0);

/** Whether float16 holds every value as it is. */
function isHalf({ shape, read }: Stored): boolean {
  return scope(() => {
    const values = fromTypedArray(read(), shape, { device: "cpu" });
    return Boolean(values.half().float().eq(values).all().item());
  });
}

function halfOf({ shape, read }: Stored): Stored {
  const halves = () => scope(() => fromTypedArray(read(), shape, { device: "cpu" }).half().contiguous().data());
  return { dtype: "float16", shape, read: halves };
}

/** Narrow floats are read widened: they are exported as float32 models only. */
function bytesOf(stored: Stored): Uint8Array {
  const array = stored.read();
  if (array.byteLength !== lengthOf(stored)) {
    throw new Error(`exportOnnx: a weight is ${stored.dtype}; convert the model with to({ dtype: "float32" }) first`);
  }
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function* all(tensors: Iterable<Stored>): Generator<Uint8Array> {
  for (const stored of tensors) yield bytesOf(stored);
}
