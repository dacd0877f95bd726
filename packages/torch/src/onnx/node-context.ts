import type { Tensor } from "../tensor.ts";
import { TensorHandle } from "../tensor-handle.ts";
import type { Attribute, Graph, GraphNode } from "./graph.ts";

/** What one run of a graph tells every node. */
export interface RunSettings {
  opset: number;
  /** Images in this run, when the graph was exported for one. */
  batch?: number;
  /** Where the feeds are; what the file holds follows them. */
  device: string;
  /** Runs a graph inside a node, such as a branch of `If`, on values by name. */
  run(graph: Graph, values: ReadonlyMap<string, Tensor>): Tensor[];
}

/** What an operator's implementation gets: its inputs and attributes, checked as they are read. */
export class NodeContext {
  readonly node: GraphNode;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly opset: number;
  /** Images in this run, when the graph was exported for one and this node works on what was fed. */
  readonly batch: number | undefined;
  readonly #device: string;
  readonly #run: RunSettings["run"];
  readonly #obeyed: ReadonlySet<string>;

  constructor(
    node: GraphNode,
    inputs: readonly (Tensor | undefined)[],
    { opset, batch, device, run }: RunSettings,
    { attributes = NONE }: Pick<OnnxOperator, "attributes">,
  ) {
    this.node = node;
    this.opset = opset;
    this.#run = run;
    this.#obeyed = attributes;
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
    return this.#attribute(name) !== undefined;
  }
  /** @throws when an attribute has another value than the one that is obeyed */
  only(name: string, value: number | string): void {
    const given = this.#attribute(name);
    if (given !== undefined && given !== value) {
      throw new Error(`attribute "${name}" is ${given}; only ${value} is supported`);
    }
  }
  list(name: string): number[] | undefined;
  list(name: string, fallback: number[]): number[];
  list(name: string, fallback?: number[]): number[] | undefined {
    const value = this.#attribute(name);
    if (value === undefined) return fallback;
    if (!isNumbers(value)) throw new Error(`attribute "${name}" is no list of numbers`);
    return value;
  }
  texts(name: string): string[] | undefined {
    const value = this.#attribute(name);
    return Array.isArray(value) ? value.map(String) : undefined;
  }
  /** A list that is an attribute in old operator sets and an input in new ones. */
  listOrInput(name: string, place: number): number[] | undefined {
    return this.list(name) ?? this.values(place);
  }
  tensor(name: string): Tensor | undefined {
    const value = this.#attribute(name);
    return value instanceof TensorHandle ? (value as Tensor) : undefined;
  }
  /** The outputs of a graph that is an attribute, which takes values of the graph around it. */
  runGraph(name: string): Tensor[] {
    const graph = this.#attribute(name);
    if (typeof graph !== "object" || !("nodes" in graph)) throw new Error(`attribute "${name}" is no graph`);
    const around = this.node.inputs.flatMap((input, i): [string, Tensor][] =>
      this.inputs[i] ? [[input, this.inputs[i]]] : [],
    );
    return this.#run(graph, new Map(around));
  }

  /** Constants and sizes are made on the CPU; what they are combined with may be elsewhere. */
  #follow(tensor: Tensor): Tensor {
    if (this.#device === "cpu" || !this.inputs.some((other) => other?.device === this.#device)) return tensor;
    return tensor.device === this.#device ? tensor : tensor.to(this.#device);
  }

  #read<T extends number | string>(name: string, type: "number" | "string", fallback: T): T {
    const value = this.#attribute(name);
    if (value === undefined) return fallback;
    if (typeof value !== type) throw new Error(`attribute "${name}" is no ${type}`);
    return value as T;
  }

  /** Only what an operator says it obeys can be read: its list is complete, or its tests fail. */
  #attribute(name: string): Attribute | undefined {
    if (!this.#obeyed.has(name)) throw new Error(`attribute "${name}" is missing in this operator's own list`);
    return this.node.attributes.get(name);
  }
}

const isNumbers = (value: Attribute): value is number[] =>
  Array.isArray(value) && value.every((item) => typeof item === "number");
const NONE: ReadonlySet<string> = new Set();

type Computation = (context: NodeContext) => Tensor | Tensor[];
/** An operator's computation, with the names of the attributes that it obeys. */
export type OnnxOperator = Computation & { readonly attributes?: ReadonlySet<string> };
export type OperatorTable = Readonly<Record<string, OnnxOperator>>;

/** An operator that obeys some attributes, named one after the other. Any other attribute of a node is an error. */
export function obeying(attributes: string, compute: Computation): OnnxOperator {
  return Object.assign((context: NodeContext) => compute(context), { attributes: new Set(attributes.split(" ")) });
}

/** An axis that may count from the end. */
export function axisOf(axis: number, ndim: number): number {
  const place = axis < 0 ? axis + ndim : axis;
  if (place < 0 || place > ndim) throw new Error(`axis ${axis} does not fit ${ndim} dimensions`);
  return place;
}
