import { call, inPlace, Operator, wrap, wrapOptional } from "./dispatch.ts";
import { type Handle, native } from "./native.ts";
import type { Tensor } from "./tensor.ts";
import { TensorHandle } from "./tensor-handle.ts";

/** What {@link op} hands to an operator. */
export type OperatorArgument =
  | Tensor
  | number
  | bigint
  | boolean
  | string
  | null
  | undefined
  | readonly (Tensor | number | boolean | null)[]
  | { readonly native: object };
/** What an operator gives back. */
export type OperatorResult = Tensor | Tensor[] | number | boolean | string | null | undefined | OperatorResult[];

function toNative(value: OperatorArgument, kind: string | undefined): unknown {
  if (typeof value === "number" && kind === "t") return native.scalarTensor(value);
  if (value instanceof TensorHandle) return value.handle;
  if (Array.isArray(value))
    return value.map((item) => toNative(item as OperatorArgument, kind === "T" ? "t" : undefined));
  if (typeof value === "object" && value !== null && "native" in value) return value.native;
  return value;
}

function fromNative(value: unknown, kind: string | undefined): OperatorResult {
  if (kind === "t") return wrapOptional<Tensor>(value as Handle | null);
  if (kind === "T" || kind === "O")
    return (value as (Handle | null)[]).map((handle) => wrapOptional<Tensor>(handle)) as Tensor[];
  return value as OperatorResult;
}

const callables = new Map<string, (...args: OperatorArgument[]) => OperatorResult>();

/**
 * Any registered operator as a function of tensors, numbers, strings (dtypes, devices), arrays and generators, in
 * the schema's own order; arguments left out or `undefined` take the schema's defaults.
 *
 * @example op("aten::linalg_qr")(matrix) // [Q, R]
 * @throws when this LibTorch has no operator of that name
 */
export function op(name: string): (...args: OperatorArgument[]) => OperatorResult {
  const known = callables.get(name);
  if (known) return known;
  const { id, argumentKinds, resultKinds, inPlace: returnsFirst } = new Operator(name).resolve();
  const callable = (...args: OperatorArgument[]): OperatorResult => {
    const result: unknown = call(id, ...args.map((value, i) => toNative(value, argumentKinds[i])));
    if (returnsFirst) return inPlace(args[0] as Tensor);
    if (resultKinds.length <= 1) return fromNative(result, resultKinds[0]);
    return (result as unknown[]).map((item, i) => fromNative(item, resultKinds[i]));
  };
  callables.set(name, callable);
  return callable;
}

const tensorOf = (name: string) => {
  const operator = new Operator(name);
  return (...args: unknown[]): Tensor => wrap(call(operator.id, ...args));
};
/** @internal A function that calls a one-result operator on raw handles. */
export const rawOperator = tensorOf;
