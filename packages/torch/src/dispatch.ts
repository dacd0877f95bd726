import { type Handle, type NativeOperator, native } from "./native.ts";
import type { TensorHandle } from "./tensor-handle.ts";

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

let TensorClass: new (handle: Handle) => TensorHandle;
/** @internal tensor.ts registers its class, so that operators can make tensors without importing it. */
export function registerTensorClass(tensorClass: new (handle: Handle) => TensorHandle): void {
  TensorClass = tensorClass;
}

// There is one class of tensors, above this file: whoever calls says that it is what comes.
export function wrap<T extends TensorHandle>(handle: Handle): T {
  return new TensorClass(handle) as T;
}
export function wrapOptional<T extends TensorHandle>(handle: Handle | null): T | null {
  return handle === null ? null : wrap<T>(handle);
}
export function wrapList<T extends TensorHandle>(list: readonly Handle[]): T[] {
  return list.map((handle) => wrap<T>(handle));
}
/** After an operator that may have changed the tensor's shape in place. */
export function inPlace<T extends TensorHandle>(tensor: T): T {
  tensor.forgetShape();
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
