import type { Tensor } from "../tensor.ts";
import type { Attribute, GraphNode } from "./graph.ts";

/** What an operator's implementation gets: its inputs and attributes, checked as they are read. */
export class NodeContext {
  readonly node: GraphNode;
  readonly inputs: readonly (Tensor | undefined)[];

  constructor(node: GraphNode, inputs: readonly (Tensor | undefined)[]) {
    this.node = node;
    this.inputs = inputs;
  }

  /** An input that must be there. */
  input(place: number): Tensor {
    const tensor = this.inputs[place];
    if (!tensor) throw new Error(`input ${place} is missing`);
    return tensor;
  }
  optional(place: number): Tensor | undefined {
    return this.inputs[place];
  }
  /** The values of a small integer input, such as a shape. */
  integers(place: number): number[] | undefined {
    const tensor = this.inputs[place];
    return tensor && Array.from(tensor.toTypedArray(), Number);
  }

  number(name: string, fallback: number): number {
    return this.#read(name, "number", fallback);
  }
  text(name: string, fallback: string): string {
    return this.#read(name, "string", fallback);
  }
  list(name: string): number[] | undefined;
  list(name: string, fallback: number[]): number[];
  list(name: string, fallback?: number[]): number[] | undefined {
    const value = this.node.attributes.get(name);
    if (value === undefined) return fallback;
    if (!Array.isArray(value)) throw new Error(`attribute "${name}" is no list`);
    return value;
  }
  /** Axes come as an attribute in old operator sets and as an input in new ones. */
  axes(place: number): number[] | undefined {
    return this.list("axes") ?? this.integers(place);
  }
  tensor(name: string): Tensor | undefined {
    const value = this.node.attributes.get(name);
    return typeof value === "object" && !Array.isArray(value) ? value : undefined;
  }

  #read<T extends number | string>(name: string, type: "number" | "string", fallback: T): T {
    const value: Attribute | undefined = this.node.attributes.get(name);
    if (value === undefined) return fallback;
    if (typeof value !== type) throw new Error(`attribute "${name}" is no ${type}`);
    return value as T;
  }
}

export type OnnxOperator = (context: NodeContext) => Tensor | Tensor[];
