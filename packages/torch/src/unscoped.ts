import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { native } from "./native.ts";

/** How many tensors that no scope owns may be alive, and how many bytes they may hold, before a warning is due. */
export interface UnscopedLimit {
  tensors: number;
  bytes: number;
}

/** @internal Infinite once the warning has been given. */
export const unscopedLimit: UnscopedLimit = { tensors: 10_000, bytes: 2 * 2 ** 30 };

/**
 * Sets from when on tensors outside scopes are warned of, once in a process, with the line that made the one too many:
 * 10,000 tensors or 2 GiB unless set. Tensors that called `keep()`, parameters among them, do not count.
 */
export function setUnscopedLimit(limit: Partial<UnscopedLimit>): void {
  Object.assign(unscopedLimit, limit);
}

const folder = fileURLToPath(new URL(".", import.meta.url));

/** Where in the user's code the call came from: the first line of the stack outside this package. */
function callerLine(): string {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 50;
  const lines = new Error("here").stack?.split("\n").slice(1) ?? [];
  Error.stackTraceLimit = before;
  const outside = lines.find((line) => !line.includes(folder));
  return outside?.trim().replace(/^at /, "") ?? "an unknown line";
}

/** What no variable holds any more is no leak: collects it, before anybody is warned. */
function collect(): void {
  try {
    setFlagsFromString("--expose-gc");
    (runInNewContext("gc") as () => void)();
  } catch {
    // an engine without it: the warning may come early
  }
}

/** @internal Called when a limit seems to be passed: releases what is unreachable, then warns if it still is. */
export function exceedsLimit(): void {
  collect();
  const [tensors, bytes] = native.sweep();
  if (tensors <= unscopedLimit.tensors && bytes <= unscopedLimit.bytes) return;
  setUnscopedLimit({ tensors: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY });
  process.emitWarning(
    `${tensors} tensors outside any scope are alive and hold ${(bytes / 2 ** 20).toFixed(0)} MiB; the last one was made at ${callerLine()}. Wrap the work in scope(() => …), or call keep() on those that are meant to stay`,
    { type: "UnscopedTensors", code: "OMNI_ID_UNSCOPED" },
  );
}
