import { isAsync, isThenable } from "./synchronous.ts";
import { enterScope, leaveScope, TensorHandle } from "./tensor-handle.ts";

/** Collects the tensors in a value: a tensor, or arrays, maps, sets and plain objects of them, nested. */
function tensorsIn(value: unknown, found = new Set<TensorHandle>(), seen = new Set<object>()): Set<TensorHandle> {
  if (value instanceof TensorHandle) found.add(value);
  else if (typeof value === "object" && value !== null && !seen.has(value) && !ArrayBuffer.isView(value)) {
    seen.add(value);
    const prototype = Object.getPrototypeOf(value);
    if (value instanceof Map) {
      for (const [key, item] of value) {
        tensorsIn(key, found, seen);
        tensorsIn(item, found, seen);
      }
    } else if (Array.isArray(value) || value instanceof Set) {
      for (const item of value) tensorsIn(item, found, seen);
    } else if (prototype === Object.prototype || prototype === null) {
      for (const item of Object.values(value)) tensorsIn(item, found, seen);
    }
  }
  return found;
}

/**
 * Runs `fn` and releases every tensor made inside it, except those it returns (a tensor, or arrays, maps, sets and
 * plain objects of tensors) and those that called `keep()`. Scopes nest; what is returned belongs to the outer scope.
 *
 * @throws when `fn` is async or returns a promise: the scope would end at its first `await`, and what comes after it
 * would find its tensors released.
 * @example const loss = scope(() => model.forward(x).sub(y).square().mean());
 */
export function scope<T>(fn: () => T): T {
  if (isAsync(fn)) throw asyncScope();
  enterScope();
  let result: T;
  try {
    result = fn();
  } catch (error) {
    leaveScope([]);
    throw error;
  }
  if (isThenable(result) && !(result instanceof TensorHandle)) {
    leaveScope([]);
    result.then(undefined, () => undefined); // that its tensors are gone is what the error below says
    throw asyncScope();
  }
  leaveScope(tensorsIn(result));
  return result;
}

const asyncScope = () =>
  new TypeError(
    "scope(async …): fn must not be async, the scope would end at its first await; await first, then open the scope around the work on tensors, or make the tensors outside any scope and dispose() of them",
  );

/**
 * The same for `using`: `{ using s = new Scope(); …; return s.keep(y); }`.
 * A scope must be closed in the block that opened it, innermost first.
 */
export class Scope {
  readonly #kept = new Set<TensorHandle>();

  constructor() {
    enterScope();
  }

  /** Marks what the block returns; see {@link scope} for the values it can hold. */
  keep<T>(value: T): T {
    tensorsIn(value, this.#kept);
    return value;
  }

  [Symbol.dispose](): void {
    leaveScope(this.#kept);
  }
}
