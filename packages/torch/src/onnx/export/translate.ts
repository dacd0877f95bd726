import type { TypedArray } from "../../dtype.ts";
import { GraphBuilder, type Value } from "./builder.ts";
import { isValue, type RecordedCall, type RecordedValue, type Recording } from "./recording.ts";
import { Call, type Rule } from "./rule.ts";
import { elementRules } from "./rules-elements.ts";
import { layerRules } from "./rules-layers.ts";
import { shapeRules } from "./rules-shapes.ts";
import { type FreeSize, type Size, sizeOf } from "./sizes.ts";

const rules: Readonly<Record<string, Rule>> = { ...elementRules, ...shapeRules, ...layerRules };

/** A graph of two recordings of one function. */
export interface Translated {
  builder: GraphBuilder;
  /** Names of the graph's outputs, with their values. */
  outputs: ReadonlyMap<string, Value>;
}

/**
 * Two recordings as one graph: what differs between them is computed from the inputs' sizes.
 * @throws for an operator without a rule (with the line that called it), for two recordings that took different paths,
 * and for values that differ though no input explains it
 */
export function translate(first: Recording, second: Recording, symbols: readonly FreeSize[]): Translated {
  const builder = new GraphBuilder(symbols);
  const values = new Map<RecordedValue, Value>();
  // Values that no output needs are not translated.
  const needed = neededCalls(first);
  if (first.calls.length !== second.calls.length) throw pathsDiffer(first, second);
  const valueAt = (one: RecordedValue, other: RecordedValue, place: string): Value => {
    const known = values.get(one);
    if (known) return known;
    const made = outsideValue(builder, one, other, place);
    values.set(one, made);
    return made;
  };

  for (const [i, call] of first.calls.entries()) {
    const other = second.calls[i];
    if (call.operator !== other.operator) throw pathsDiffer(first, second, i);
    if (!needed.has(call)) continue;
    if (call.results.every((result, k) => isConstant(result, other.results[k]))) {
      for (const [k, result] of call.results.entries()) valueAt(result, other.results[k], call.place);
      continue;
    }
    const args = call.args.map((arg, k) => pair(arg, other.args[k], (a, b) => valueAt(a, b, call.place)));
    const results = call.results.map((result, k) => ({
      shape: shapeOf(result, other.results[k]),
      dtype: result.dtype,
    }));
    const names = translateCall(builder, call, args, results);
    for (const [k, result] of call.results.entries()) values.set(result, { name: names[k], ...results[k] });
  }
  const outputs = [...first.outputs].map(([name, value]): [string, Value] => {
    const other = second.outputs.get(name);
    if (!other) throw new Error(`exportOnnx: the function gives no "${name}" at the second example`);
    return [name, valueAt(value, other, "its end")];
  });
  return { builder, outputs: new Map(outputs) };
}

function translateCall(builder: GraphBuilder, call: RecordedCall, args: readonly unknown[], results: Call["results"]) {
  const rule = rules[call.operator] ?? rules[outOfPlace(call.operator)];
  if (!rule) throw new Error(`exportOnnx: ${call.operator} has no rule; it is called at ${call.place}`);
  try {
    return [rule(new Call(builder, args, results))].flat();
  } catch (error) {
    throw new Error(`exportOnnx: ${call.operator}: ${(error as Error).message}; it is called at ${call.place}`);
  }
}

/** `aten::add_.Tensor` → `aten::add.Tensor`: what changes a tensor in place gives a new value in the graph. */
const outOfPlace = (operator: string): string => operator.replace(/_(\.|$)/, "$1");

function neededCalls(recording: Recording): Set<RecordedCall> {
  const makers = new Map(recording.calls.flatMap((call) => call.results.map((result) => [result, call] as const)));
  const needed = new Set<RecordedCall>();
  const waiting = [...recording.outputs.values()];
  for (let value = waiting.pop(); value; value = waiting.pop()) {
    const call = makers.get(value);
    if (!call || needed.has(call)) continue;
    needed.add(call);
    waiting.push(...call.args.flat().filter(isValue));
  }
  return needed;
}

const shapeOf = (one: RecordedValue, other: RecordedValue): Size[] =>
  one.shape.map((size, i) => sizeOf(size, other.shape[i]));

const equal = (a: TypedArray, b: TypedArray): boolean =>
  a.length === b.length && a.every((value, i) => Object.is(value, b[i]));

/** Known before the graph runs, and the same at both examples. */
function isConstant(one: RecordedValue, other: RecordedValue): boolean {
  if (one.handle !== undefined && one.handle === other.handle) return true;
  const [a, b] = [one.data, other.data];
  return a !== undefined && b !== undefined && one.shape.join() === other.shape.join() && equal(a, b);
}

/** An input, a weight, or a constant. */
function outsideValue(builder: GraphBuilder, one: RecordedValue, other: RecordedValue, place: string): Value {
  const { dtype, name } = one;
  const shape = shapeOf(one, other);
  if (one.kind === "input") return { name: name as string, dtype, shape };
  if (one.kind === "weight") {
    builder.store({ dtype, shape: one.shape, read: one.read as () => TypedArray }, name);
    return { name: name as string, dtype, shape };
  }
  const { data } = one;
  if (!data || !isConstant(one, other)) {
    throw new Error(
      `exportOnnx: a tensor [${one.shape.join(", ")}] that JavaScript made differs at the second example [${other.shape.join(", ")}]; make it by operators, or give it as an input: it is used at ${place}`,
    );
  }
  return { name: builder.store({ dtype, shape: one.shape, read: () => data }), dtype, shape, data };
}

/** Arguments of both recordings as one: values, sizes, and lists of these. */
function pair(one: unknown, other: unknown, valueAt: (a: RecordedValue, b: RecordedValue) => Value): unknown {
  if (isValue(one) && isValue(other)) return valueAt(one, other);
  if (Array.isArray(one) && Array.isArray(other)) return one.map((item, i) => pair(item, other[i], valueAt));
  if (typeof one === "number" && typeof other === "number") return sizeOf(one, other);
  return one;
}

function pathsDiffer(first: Recording, second: Recording, at?: number): Error {
  const i = at ?? Math.min(first.calls.length, second.calls.length) - 1;
  const what = (call: RecordedCall | undefined) => (call ? `${call.operator} at ${call.place}` : "nothing");
  return new Error(
    `exportOnnx: the function calls other operators at the second example: ${what(first.calls[i])}, then ${what(second.calls[i])}`,
  );
}
