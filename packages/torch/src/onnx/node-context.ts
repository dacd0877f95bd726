import type { Tensor } from "../tensor.ts";
import type { Attribute, GraphNode } from "./graph.ts";

/** What one run of a graph tells every node. */
export interface RunSettings {
  opset: number;
  /** Images in this run, when the graph was exported for one. */
  batch?: number;
  /** Where the feeds are; what the file holds follows them. */
  device: string;
}

/** What an operator's implementation gets: its inputs and attributes, checked as they are read. */
export class NodeContext {
  readonly node: GraphNode;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly opset: number;
  /** Images in this run, when the graph was exported for one and this node works on what was fed. */
  readonly batch: number | undefined;
  readonly #device: string;

  constructor(node: GraphNode, inputs: readonly (Tensor | undefined)[], { opset, batch, device }: RunSettings) {
    this.node = node;
    this.opset = opset;
    this.batch = batch !== undefined && batch > 1 ? batch : undefined;
    this.#device = device;
    this.inputs = inputs;
  }

  /** An input that must be there. */
  input(place: number): Tensor {
    const tensor = this.inputs[place];
    if (!tensor) throw new Error(`input ${place} is missing`);
    return this.#follow(tensor);
  }
  /** All inputs, for operators that take any number. */
  all(): Tensor[] {
    return this.inputs.map((_, place) => this.input(place));
  }
  optional(place: number): Tensor | undefined {
    const tensor = this.inputs[place];
    return tensor && this.#follow(tensor);
  }
  /** The values of a small input, such as a shape. */
  values(place: number): number[] | undefined {
    const tensor = this.inputs[place];
    return tensor && Array.from(tensor.toTypedArray(), Number);
  }

  number(name: string, fallback: number): number {
    return this.#read(name, "number", fallback);
  }
  text(name: string, fallback: string): string {
    return this.#read(name, "string", fallback);
  }
  flag(name: string, fallback = false): boolean {
    return this.number(name, fallback ? 1 : 0) !== 0;
  }
  has(name: string): boolean {
    return this.node.attributes.has(name);
  }
  list(name: string): number[] | undefined;
  list(name: string, fallback: number[]): number[];
  list(name: string, fallback?: number[]): number[] | undefined {
    const value = this.node.attributes.get(name);
    if (value === undefined) return fallback;
    if (!Array.isArray(value)) throw new Error(`attribute "${name}" is no list`);
    return value;
  }
  /** A list that is an attribute in old operator sets and an input in new ones. */
  listOrInput(name: string, place: number): number[] | undefined {
    return this.list(name) ?? this.values(place);
  }
  tensor(name: string): Tensor | undefined {
    const value = this.node.attributes.get(name);
    return typeof value === "object" && !Array.isArray(value) ? value : undefined;
  }

  /** Constants and sizes are made on the CPU; what they are combined with may be elsewhere. */
  #follow(tensor: Tensor): Tensor {
    if (this.#device === "cpu" || !this.inputs.some((other) => other?.device === this.#device)) return tensor;
    return tensor.device === this.#device ? tensor : tensor.to(this.#device);
  }

  #read<T extends number | string>(name: string, type: "number" | "string", fallback: T): T {
    const value: Attribute | undefined = this.node.attributes.get(name);
    if (value === undefined) return fallback;
    if (typeof value !== type) throw new Error(`attribute "${name}" is no ${type}`);
    return value as T;
  }
}

export type OnnxOperator = (context: NodeContext) => Tensor | Tensor[];
export type OperatorTable = Readonly<Record<string, OnnxOperator>>;

/** An axis that may count from the end. */
export function axisOf(axis: number, ndim: number): number {
  const place = axis < 0 ? axis + ndim : axis;
  if (place < 0 || place > ndim) throw new Error(`axis ${axis} does not fit ${ndim} dimensions`);
  return place;
}
