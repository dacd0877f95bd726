import { noGrad } from "../autograd.ts";
import { tensor } from "../factories.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";

/** Zeros beside each parameter, kept out of scopes: what an optimiser remembers. */
export function zerosLike(params: readonly Tensor[]): Tensor[] {
  return params.map((param) => scope(() => noGrad(() => param.detach().clone().zero_())).keep());
}

/** Whether the one-pass kernels can train these. */
export function canFuse(params: readonly Tensor[]): boolean {
  return params.every((param) => param.dtype === "float32" && param.device === "cpu" && param.isContiguous);
}

/** @throws when a parameter stands in the list twice: it would be stepped twice */
export function checkDistinct(optimiser: string, params: readonly Tensor[]): void {
  const first = new Map<Tensor, number>();
  for (const [i, param] of params.entries()) {
    const before = first.get(param);
    if (before !== undefined) {
      throw new Error(`${optimiser}: parameter ${i} is parameter ${before} once more (tied weights?); list it once`);
    }
    first.set(param, i);
  }
}

/** State as a map for a checkpoint: lists of tensors by name, and the number of steps done. */
export function packState(step: number, lists: Readonly<Record<string, readonly Tensor[]>>): Map<string, Tensor> {
  const state = new Map<string, Tensor>([["step", tensor(step, { dtype: "int64" })]]);
  for (const [name, list] of Object.entries(lists)) {
    for (const [i, item] of list.entries()) state.set(`${i}.${name}`, item);
  }
  return state;
}

type Lists = Readonly<Record<string, readonly Tensor[]>>;
const keyed = (lists: Lists) =>
  Object.entries(lists).flatMap(([name, list]) => list.map((item, i) => [`${i}.${name}`, item] as const));

/** @throws when a tensor is missing or has another shape; returns the number of steps done */
export function unpackState(state: ReadonlyMap<string, Tensor>, lists: Lists): number {
  for (const [key, item] of keyed(lists)) {
    const value = state.get(key);
    if (value?.shape.join() !== item.shape.join()) {
      const found = value ? `of shape [${value.shape}], not [${item.shape}]` : "missing";
      throw new Error(`optimiser state: ${key} is ${found}; it belongs to another set of parameters`);
    }
  }
  return scope(() =>
    noGrad(() => {
      for (const [key, item] of keyed(lists)) item.copy_(state.get(key) as Tensor);
      return state.get("step")?.item() ?? 0;
    }),
  );
}
