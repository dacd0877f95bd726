import { handles, optionalHandles, wrapOptional } from "./dispatch.ts";
import { native } from "./native.ts";
import { runSynchronously } from "./synchronous.ts";
import type { Tensor } from "./tensor.ts";

function withGradMode<T>(on: boolean, fn: () => T): T {
  const before = native.gradEnabled(on);
  try {
    return runSynchronously(`${on ? "enableGrad" : "noGrad"}(fn)`, fn, "await first, and wrap the work that follows");
  } finally {
    native.gradEnabled(before);
  }
}

/** Runs `fn` without recording for gradients. */
export function noGrad<T>(fn: () => T): T {
  return withGradMode(false, fn);
}

/** Runs `fn` recording for gradients, inside `noGrad` too. */
export function enableGrad<T>(fn: () => T): T {
  return withGradMode(true, fn);
}

/** Whether operators are recorded for gradients just now. */
export function isGradEnabled(): boolean {
  return native.gradEnabled();
}

export interface GradOptions {
  /** Gradient of each output; ones for scalars when left out. */
  gradOutputs?: readonly (Tensor | null)[];
  retainGraph?: boolean;
  /** Makes the result differentiable itself. */
  createGraph?: boolean;
}

/**
 * Gradients of `outputs` with respect to `inputs`, in the order of `inputs`; nothing is added to `.grad`.
 * @throws when an input was not used, unless `allowUnused` is set: its gradient is null then
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: readonly Tensor[],
  options?: GradOptions & { allowUnused?: false },
): Tensor[];
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: readonly Tensor[],
  options: GradOptions & { allowUnused: boolean },
): (Tensor | null)[];
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: readonly Tensor[],
  {
    gradOutputs,
    retainGraph = false,
    createGraph = false,
    allowUnused = false,
  }: GradOptions & { allowUnused?: boolean } = {},
): (Tensor | null)[] {
  const list = Array.isArray(outputs) ? (outputs as readonly Tensor[]) : [outputs as Tensor];
  const gradients = gradOutputs ? optionalHandles(gradOutputs) : null;
  return native
    .gradOf(handles(list), handles(inputs), gradients, retainGraph, createGraph, allowUnused)
    .map((handle) => wrapOptional<Tensor>(handle));
}
