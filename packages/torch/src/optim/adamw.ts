import { noGrad } from "../autograd.ts";
import { adamwStep_ } from "../fused.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { foreach } from "./foreach.ts";
import { canFuse, packState, unpackState, zerosLike } from "./state.ts";

export interface AdamWOptions {
  lr?: number;
  betas?: readonly [number, number];
  eps?: number;
  weightDecay?: number;
}

/**
 * Adam with decoupled weight decay (Loshchilov & Hutter, 2019), step for step as `torch.optim.AdamW`.
 * Parameters without a gradient are left alone.
 */
export class AdamW {
  lr: number;
  readonly params: readonly Tensor[];
  readonly #settings: Required<Omit<AdamWOptions, "lr">>;
  readonly #mean: Tensor[];
  readonly #square: Tensor[];
  /** float32 on the CPU: all parameters in one pass over memory. */
  readonly #fused: boolean;
  #step = 0;

  constructor(
    params: readonly Tensor[],
    { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0.01 }: AdamWOptions = {},
  ) {
    this.params = params;
    this.lr = lr;
    this.#settings = { betas, eps, weightDecay };
    this.#fused = canFuse(params);
    this.#mean = zerosLike(params);
    this.#square = zerosLike(params);
  }

  /** Moves the parameters by their gradients. */
  step(): void {
    const { betas, eps, weightDecay } = this.#settings;
    this.#step++;
    scope(() =>
      noGrad(() => {
        const gradients = this.params.map((param) => param.grad);
        const used = [...gradients.keys()].filter((i) => gradients[i] !== null);
        const pick = <T>(list: readonly T[]) => used.map((i) => list[i]);
        const [params, mean, square] = [pick(this.params), pick(this.#mean), pick(this.#square)];
        const grads = (pick(gradients) as Tensor[]).map((grad) => grad.contiguous());
        if (params.length === 0) return;
        if (this.#fused) {
          adamwStep_(params, grads, mean, square, { ...this.#settings, lr: this.lr, step: this.#step });
          return;
        }
        if (weightDecay !== 0) foreach.mul_(params, 1 - this.lr * weightDecay);
        foreach.mul_(mean, betas[0]);
        foreach.add_(mean, grads, 1 - betas[0]);
        foreach.mul_(square, betas[1]);
        foreach.addcmul_(square, grads, grads, 1 - betas[1]);
        const denominator = foreach.sqrt(square);
        foreach.div_(denominator, Math.sqrt(1 - betas[1] ** this.#step));
        foreach.addScalar_(denominator, eps);
        foreach.addcdiv_(params, mean, denominator, -this.lr / (1 - betas[0] ** this.#step));
      }),
    );
  }

  /** Forgets the gradients. */
  zeroGrad(): void {
    for (const param of this.params) param.grad = null;
  }

  /** What a checkpoint keeps. */
  stateTensors(): Map<string, Tensor> {
    return packState(this.#step, { exp_avg: this.#mean, exp_avg_sq: this.#square });
  }
  /** @throws when the state belongs to other parameters */
  loadStateTensors(state: ReadonlyMap<string, Tensor>): void {
    this.#step = unpackState(state, { exp_avg: this.#mean, exp_avg_sq: this.#square });
  }
}
