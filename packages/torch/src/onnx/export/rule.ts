import type { DType } from "../../dtype.ts";
import type { GraphBuilder, Value } from "./builder.ts";
import { isPlain, type Size } from "./sizes.ts";

/** What a rule gets: the call's arguments by the operator's schema, and what it gave. */
export class Call {
  readonly b: GraphBuilder;
  readonly results: readonly { shape: readonly Size[]; dtype: DType }[];
  readonly #args: readonly unknown[];

  constructor(b: GraphBuilder, args: readonly unknown[], results: Call["results"]) {
    this.b = b;
    this.results = results;
    this.#args = args;
  }

  get shape(): readonly Size[] {
    return this.results[0].shape;
  }
  get dtype(): DType {
    return this.results[0].dtype;
  }

  value(i: number): Value {
    return this.#args[i] as Value;
  }
  optional(i: number): Value | undefined {
    return (this.#args[i] ?? undefined) as Value | undefined;
  }
  values(i: number): Value[] {
    return this.#args[i] as Value[];
  }
  /** The name of an input in the result's dtype. */
  like(i: number): string {
    return this.b.cast(this.value(i), this.dtype);
  }
  /** A number or a tensor, as the name of a value in a dtype. */
  operand(i: number, dtype: DType): string {
    const given = this.#args[i];
    return typeof given === "number" ? this.b.scalar(given, dtype) : this.b.cast(given as Value, dtype);
  }

  given(i: number): boolean {
    return this.#args[i] !== undefined && this.#args[i] !== null;
  }
  /** @throws when it follows from the inputs' sizes */
  number(i: number, fallback?: number): number {
    const given = this.#args[i] ?? fallback;
    if (typeof given === "boolean") return given ? 1 : 0;
    if (typeof given !== "number") throw new Error(`its argument ${i} changes with the inputs' sizes`);
    return given;
  }
  flag(i: number): boolean {
    return this.#args[i] === true || this.#args[i] === 1;
  }
  text(i: number, fallback: string): string {
    return (this.#args[i] ?? fallback) as string;
  }
  size(i: number): Size {
    return this.#args[i] as Size;
  }
  /** One number stands for as many as the fallback has. */
  numbers(i: number, fallback: readonly number[] = []): readonly number[] {
    const given = this.#args[i] ?? fallback;
    const list =
      typeof given !== "number"
        ? (given as readonly Size[])
        : fallback.length > 0
          ? fallback.map(() => given)
          : [given];
    if (!list.every(isPlain)) throw new Error(`its argument ${i} changes with the inputs' sizes`);
    return list;
  }
  /** A dimension, from the start. */
  axis(i: number, ndim: number, fallback = 0): number {
    const axis = this.number(i, fallback);
    return axis < 0 ? axis + ndim : axis;
  }
}

/** An ATen operator as ONNX nodes: the names of its results. */
export type Rule = (call: Call) => string | string[];
export type RuleTable = Readonly<Record<string, Rule>>;

/** A value in the shape of the call's result; one size that varies is left to ONNX. */
export function shapedAs(b: GraphBuilder, name: string, shape: readonly Size[]): string {
  const varying = shape.filter((size) => !isPlain(size)).length;
  const target = varying === 1 && !shape.includes(0) ? shape.map((size) => (isPlain(size) ? size : -1)) : shape;
  return b.node("Reshape", [name, b.sizes(target)]);
}

/** Part of a dimension. */
export function sliced(
  b: GraphBuilder,
  name: string,
  axis: number,
  [start, end, step = 1]: [Size, Size, number?],
): string {
  return b.node("Slice", [name, b.sizes([start]), b.sizes([end]), b.ints([axis]), b.ints([step])]);
}
