import { type NamedOperator, observeCalls } from "../../dispatch.ts";
import { type DType, isNarrowFloat, type TypedArray, viewBuffer } from "../../dtype.ts";
import { type Handle, native } from "../../native.ts";
import type { Tensor } from "../../tensor.ts";

/** A tensor of a recorded run. */
export interface RecordedValue {
  shape: readonly number[];
  dtype: DType;
  /** A graph input's or a weight's name; absent for what was computed or made on the way. */
  name?: string;
  kind: "input" | "weight" | "constant" | "computed";
  /** Of the tensor itself, where it was there before the run. */
  handle?: Handle;
  /** Whether it was made from inputs. */
  live: boolean;
  /** Elements of what does not depend on inputs, where they are few; floats as float32 or float64. */
  data?: TypedArray;
  /** Reads the elements of a weight. */
  read?: () => TypedArray;
}

export interface RecordedCall {
  /** Such as `aten::add.Tensor`. */
  operator: string;
  /** By the schema: tensors as values, lists of them, numbers, strings, lists of numbers. */
  args: readonly unknown[];
  results: readonly RecordedValue[];
  /** File and line of the caller outside this package. */
  place: string;
}

export interface Recording {
  calls: readonly RecordedCall[];
  outputs: ReadonlyMap<string, RecordedValue>;
}

/** Of more elements than this, what does not depend on inputs is computed by the graph instead of being stored in it. */
const STORED = 65_536;

/** Operators whose result may share memory with their first argument. */
const VIEWS =
  /^aten::(view|reshape|permute|transpose|t|narrow|slice|select|expand|unsqueeze|squeeze|flatten|unflatten|chunk|split|split_with_sizes|unbind|detach|alias|to|contiguous|view_as|expand_as|unfold)(\.|$)/;

/**
 * What a function calls in the dispatcher, on inputs by name.
 * @param weights tensors with names of their own, such as a module's state dict
 * @throws when a value that depends on the inputs is read in JavaScript, or a view is changed in place
 */
export function record(
  fn: (inputs: Record<string, Tensor>) => Readonly<Record<string, Tensor>>,
  inputs: Readonly<Record<string, Tensor>>,
  weights: ReadonlyMap<string, Tensor>,
): Recording {
  const values = new Map<Handle, RecordedValue>();
  const shared = new WeakSet<RecordedValue>();
  const calls: RecordedCall[] = [];
  for (const [name, tensor] of weights) {
    const read = () => elementsOf(tensor.handle, tensor.dtype);
    values.set(tensor.handle, { shape: tensor.shape, dtype: tensor.dtype, name, kind: "weight", live: false, read });
  }
  for (const [name, tensor] of Object.entries(inputs)) {
    values.set(tensor.handle, { shape: tensor.shape, dtype: tensor.dtype, name, kind: "input", live: true });
  }

  const valueAt = (handle: Handle): RecordedValue => {
    const known = values.get(handle);
    if (known) return known;
    const { shape, dtype } = describe(handle);
    const made: RecordedValue = {
      shape,
      dtype,
      kind: "constant",
      handle,
      live: false,
      data: elementsOf(handle, dtype),
    };
    values.set(handle, made);
    return made;
  };
  const argument = (value: unknown, kind: string | undefined): unknown => {
    if (value === null || value === undefined) return value;
    if (kind === "t") return valueAt(value as Handle);
    if (kind === "T" || kind === "O")
      return (value as (Handle | null)[]).map((one) => (one === null ? null : valueAt(one)));
    return value;
  };

  const observe = ({ name, argumentKinds, inPlace }: NamedOperator, raw: readonly unknown[], result: unknown): void => {
    const args = raw.map((value, i) => argument(value, argumentKinds[i]));
    const given = args.flat().filter(isValue);
    const live = given.some((value) => value.live);
    const handles = inPlace ? [raw[0] as Handle] : [result].flat().filter((one) => typeof one === "number");
    if (inPlace && shared.has(args[0] as RecordedValue)) {
      throw new Error(`exportOnnx: ${name} changes a tensor that shares its memory with another, at ${caller()}`);
    }
    const results = (handles as Handle[]).map((handle): RecordedValue => {
      const { shape, dtype } = describe(handle);
      const few = !live && shape.reduce((product, size) => product * size, 1) <= STORED;
      const made: RecordedValue = {
        shape,
        dtype,
        kind: "computed",
        live,
        data: few ? elementsOf(handle, dtype) : undefined,
      };
      values.set(handle, made);
      if (VIEWS.test(name)) for (const value of [made, args[0]].filter(isValue)) shared.add(value);
      return made;
    });
    calls.push({ operator: name, args, results, place: caller() });
  };

  const outputs = guardReads(
    (handle) => values.get(handle)?.live === true,
    () => observeCalls(observe, () => fn({ ...inputs })),
  );
  return {
    calls,
    outputs: new Map(Object.entries(outputs).map(([name, tensor]) => [name, valueAt(tensor.handle)])),
  };
}

export const isValue = (value: unknown): value is RecordedValue =>
  typeof value === "object" && value !== null && "kind" in value && "live" in value;

function describe(handle: Handle): { shape: number[]; dtype: DType } {
  return { shape: native.shape(handle), dtype: native.info(handle).dtype };
}

/** The addon's own `read`, while a recording puts a guard in its place. */
let unguarded: typeof native.read | undefined;

/** Native `read` widens narrow floats. */
function elementsOf(handle: Handle, dtype: DType): TypedArray {
  const read = unguarded ?? native.read;
  return viewBuffer(read(handle), isNarrowFloat(dtype) ? "float32" : dtype);
}

/** A graph cannot hold what JavaScript makes of a value: reading one that depends on inputs is an error. */
function guardReads<T>(isLive: (handle: Handle) => boolean, fn: () => T): T {
  const before = { read: native.read, item: native.item, toBuffer: native.toBuffer };
  const guarded =
    <R>(read: (handle: Handle) => R) =>
    (handle: Handle): R => {
      if (isLive(handle)) {
        throw new Error(`exportOnnx: a value that depends on the inputs is read in JavaScript, at ${caller()}`);
      }
      return read(handle);
    };
  unguarded = before.read;
  Object.assign(native, {
    read: guarded(before.read),
    item: guarded(before.item),
    toBuffer: guarded(before.toBuffer),
  });
  try {
    return fn();
  } finally {
    Object.assign(native, before);
    unguarded = undefined;
  }
}

/** File and line of whoever called into this package. */
function caller(): string {
  const frames = (new Error().stack ?? "").split("\n").slice(1);
  const outside = frames.find((line) => !/[/\\]torch[/\\](src|dist)[/\\]|node:internal/.test(line));
  return (outside ?? frames.at(-1) ?? "").replace(/^\s*at /, "");
}
