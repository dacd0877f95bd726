import type { DType, TypedArray } from "../../dtype.ts";
import { ELEMENT_TYPES } from "../tensor-proto.ts";
import { express, type FreeSize, isPlain, type Size, type Varying } from "./sizes.ts";

export type ExportAttribute = number | string | readonly number[] | { float: number };

export interface ExportNode {
  op: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, ExportAttribute>>;
}

/** A tensor that the file holds. */
export interface Stored {
  dtype: DType;
  shape: readonly number[];
  /** Read when the file is written. */
  read: () => TypedArray;
}

/** A value of the graph being built. */
export interface Value {
  name: string;
  dtype: DType;
  shape: readonly Size[];
  /** Elements, where they are known. */
  data?: TypedArray;
}

const CODES = new Map(Object.entries(ELEMENT_TYPES).map(([code, dtype]) => [dtype, Number(code)]));

/** TensorProto.DataType. @throws for a dtype that ONNX does not have */
export function elementCode(dtype: DType): number {
  const code = CODES.get(dtype);
  if (code === undefined) throw new Error(`ONNX has no element type for ${dtype}`);
  return code;
}

/** Puts an ONNX graph together: nodes, stored tensors, and sizes that are computed from the inputs' own. */
export class GraphBuilder {
  readonly nodes: ExportNode[] = [];
  readonly stored = new Map<string, Stored>();
  readonly #symbols: readonly FreeSize[];
  readonly #sizes = new Map<string, string>();
  #count = 0;

  constructor(symbols: readonly FreeSize[]) {
    this.#symbols = symbols;
  }

  /** A node with one output. */
  node(op: string, inputs: readonly string[], attributes: Readonly<Record<string, ExportAttribute>> = {}): string {
    return this.nodeOf(op, inputs, 1, attributes)[0];
  }
  nodeOf(
    op: string,
    inputs: readonly string[],
    outputs: number,
    attributes: Readonly<Record<string, ExportAttribute>> = {},
  ): string[] {
    const names = Array.from({ length: outputs }, () => this.#fresh(op.toLowerCase()));
    this.nodes.push({ op, inputs, outputs: names, attributes });
    return names;
  }

  store(stored: Stored, name = this.#fresh("constant")): string {
    this.stored.set(name, stored);
    return name;
  }
  scalar(value: number, dtype: DType): string {
    return this.#small([value], [], dtype);
  }
  /** A list of whole numbers, stored. */
  ints(values: readonly number[]): string {
    return this.#small(values, [values.length], "int64");
  }
  /** A list of sizes: stored where they are the same in both recordings, else computed. */
  sizes(sizes: readonly Size[]): string {
    if (sizes.every(isPlain)) return this.ints(sizes);
    return this.node(
      "Concat",
      sizes.map((size) => (isPlain(size) ? this.ints([size]) : this.#computed(size))),
      {
        axis: 0,
      },
    );
  }

  cast(value: Value, dtype: DType): string {
    return value.dtype === dtype ? value.name : this.node("Cast", [value.name], { to: elementCode(dtype) });
  }

  /** A size by the inputs' own, as a list of one. */
  #computed(size: Varying): string {
    const key = `size ${size.first} ${size.second}`;
    const known = this.#sizes.get(key);
    if (known) return known;
    const expression = express(size, this.#symbols);
    if (!expression) {
      throw new Error(
        `a size is ${size.first} at the first example and ${size.second} at the second, which no size of the inputs explains`,
      );
    }
    const parts = expression.symbols.map(({ input, axis }) => this.#dimension(input, axis));
    const product = parts.reduce((a, b) => this.node("Mul", [a, b]));
    const scaled =
      expression.coefficient === 1 ? product : this.node("Mul", [product, this.ints([expression.coefficient])]);
    const name = expression.offset === 0 ? scaled : this.node("Add", [scaled, this.ints([expression.offset])]);
    this.#sizes.set(key, name);
    return name;
  }

  #dimension(input: string, axis: number): string {
    const key = `axis ${axis} of ${input}`;
    const known = this.#sizes.get(key);
    if (known) return known;
    const name = this.node("Shape", [input], { start: axis, end: axis + 1 });
    this.#sizes.set(key, name);
    return name;
  }

  #small(values: readonly number[], shape: readonly number[], dtype: DType): string {
    const key = `${dtype} ${shape} ${values}`;
    const known = this.#sizes.get(key);
    if (known) return known;
    const data = dtype === "int64" ? BigInt64Array.from(values, BigInt) : narrow(values, dtype);
    const name = this.store({ dtype, shape, read: () => data });
    this.#sizes.set(key, name);
    return name;
  }

  #fresh(kind: string): string {
    return `/${kind}/${this.#count++}`; // as no input, output or weight is called
  }
}

function narrow(values: readonly number[], dtype: DType): TypedArray {
  if (dtype === "float64") return Float64Array.from(values);
  if (dtype === "bool" || dtype === "uint8") return Uint8Array.from(values);
  return dtype === "int32" ? Int32Array.from(values) : Float32Array.from(values);
}
