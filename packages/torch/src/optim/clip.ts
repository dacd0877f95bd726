import { noGrad } from "../autograd.ts";
import { stack } from "../functions.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { foreach } from "./foreach.ts";

/** Scales all gradients down together so that their joint norm is at most `max`; returns the norm before. */
export function clipGradNorm(params: readonly Tensor[], max: number): number {
  return scope(() =>
    noGrad(() => {
      const grads = params.map((param) => param.grad).filter((grad): grad is Tensor => grad !== null);
      if (grads.length === 0) return 0;
      const norm = stack(foreach.norm(grads)).norm().item();
      if (norm > max) foreach.mul_(grads, max / (norm + 1e-6));
      return norm;
    }),
  );
}
