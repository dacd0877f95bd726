import { type Handle, type NativeOperator, native } from "./native.ts";
import type { Tensor } from "./tensor.ts";
import { TensorHandle } from "./tensor-handle.ts";

type Call = (id: number, ...args: unknown[]) => never;

/** @internal Calls an operator by id. Typed loosely here; the generated wrappers and `op` give it types. */
export let call: Call = first;

function first(id: number, ...args: unknown[]): never {
  call = native.call as Call; // from the second call on there is nothing between a wrapper and the addon
  return call(id, ...args);
}

/** @internal An operator that was looked up, with its schema name. */
export type NamedOperator = NativeOperator & { readonly name: string };
const resolved = new Map<number, NamedOperator>();

/**
 * @internal Lets every call of an operator be seen while `fn` runs: `observe` gets the operator, its arguments and what
 * it gave. Native code has no part in it, so that calls outside cost what they did.
 */
export function observeCalls<T>(
  observe: (operator: NamedOperator, args: readonly unknown[], result: unknown) => void,
  fn: () => T,
): T {
  const before = call === first ? (native.call as Call) : call;
  call = ((id: number, ...args: unknown[]) => {
    const result: unknown = before(id, ...args);
    observe(resolved.get(id) as NamedOperator, args, result);
    return result;
  }) as Call;
  try {
    return fn();
  } finally {
    call = before;
  }
}

let TensorClass: new (handle: Handle) => Tensor;
/** @internal tensor.ts registers its class, so that operators can make tensors without importing it. */
export function registerTensorClass(tensorClass: new (handle: Handle) => Tensor): void {
  TensorClass = tensorClass;
}

export function wrap(handle: Handle): Tensor {
  return new TensorClass(handle);
}
export function wrapOptional(handle: Handle | null): Tensor | null {
  return handle === null ? null : new TensorClass(handle);
}
export function wrapList(list: Handle[]): Tensor[] {
  return list.map(wrap);
}
/** After an operator that may have changed the tensor's shape in place. */
export function inPlace<T extends TensorHandle>(tensor: T): T {
  (tensor as unknown as Tensor).forgetShape();
  return tensor;
}

type MaybeTensor = TensorHandle | null | undefined;
export const handles = (tensors: readonly TensorHandle[]): Handle[] => tensors.map((tensor) => tensor.handle);
export const optionalHandle = (tensor: MaybeTensor): Handle | null | undefined =>
  tensor ? tensor.handle : (tensor as null | undefined);
export const optionalHandles = (tensors: readonly MaybeTensor[]): (Handle | null)[] =>
  tensors.map((tensor) => tensor?.handle ?? null);

function find(name: string): NativeOperator | null {
  const dot = name.indexOf(".");
  return dot < 0 ? native.lookup(name, "") : native.lookup(name.slice(0, dot), name.slice(dot + 1));
}

/** An operator by schema name, looked up when it is first used: a LibTorch that lacks it hurts only those who call it. */
export class Operator {
  readonly name: string;
  #found: NativeOperator | undefined;
  #id = -1;

  constructor(name: string) {
    this.name = name;
  }

  get id(): number {
    return this.#id >= 0 ? this.#id : this.resolve().id;
  }

  resolve(): NativeOperator {
    if (this.#found) return this.#found;
    const found = find(this.name);
    if (!found) throw new Error(`this LibTorch (${native.version().libtorch}) has no operator ${this.name}`);
    this.#found = found;
    this.#id = found.id;
    resolved.set(found.id, { ...found, name: this.name });
    return found;
  }
}

/** Whether this LibTorch registers an operator, by schema name such as `aten::scaled_dot_product_attention`. */
export function hasOperator(name: string): boolean {
  return find(name) !== null;
}

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
  if (kind === "t") return wrapOptional(value as Handle | null);
  if (kind === "T" || kind === "O") return (value as (Handle | null)[]).map(wrapOptional) as Tensor[];
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
