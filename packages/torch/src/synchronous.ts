/** Whether a value is a promise, or anything else with `then`. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}

/** Whether a function is known to be async before it has run. */
export function isAsync(fn: unknown): boolean {
  return Object.prototype.toString.call(fn) === "[object AsyncFunction]";
}

/**
 * Runs what must be done when it returns. An async function returns at its first `await`, and what comes after would
 * run outside.
 * @throws TypeError when `fn` is async or answers a promise
 */
export function runSynchronously<T>(name: string, fn: () => T, advice: string): T {
  const refuse = () => new TypeError(`${name}: fn must not be async, it ends at the first await; ${advice}`);
  if (isAsync(fn)) throw refuse();
  const result = fn();
  if (!isThenable(result)) return result;
  result.then(undefined, () => undefined); // what the rest of it runs into is a consequence, not another error
  throw refuse();
}
