import { noGrad } from "../autograd.ts";
import { tensor } from "../factories.ts";
import { adamwStep_ } from "../fused.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { foreach } from "./foreach.ts";
import { canFuse, checkDistinct, packState, unpackState, zerosLike } from "./state.ts";

export interface AdamWOptions {
  lr?: number;
  betas?: readonly [number, number];
  eps?: number;
  weightDecay?: number;
}

/**
 * Adam with decoupled weight decay (Loshchilov & Hutter, 2019), step for step as `torch.optim.AdamW`.
 * Parameters without a gradient are left alone; one that joins late starts at its own first step.
 */
export class AdamW {
  lr: number;
  readonly params: readonly Tensor[];
  readonly #settings: Required<Omit<AdamWOptions, "lr">>;
  readonly #mean: Tensor[];
  readonly #square: Tensor[];
  /** float32 on the CPU: all parameters in one pass over memory. */
  readonly #fused: boolean;
  /** Steps made by each parameter. */
  #steps: number[];

  /** @throws when a parameter is listed twice */
  constructor(
    params: readonly Tensor[],
    { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0.01 }: AdamWOptions = {},
  ) {
    checkDistinct("AdamW", params);
    this.params = params;
    this.#steps = params.map(() => 0);
    this.lr = lr;
    this.#settings = { betas, eps, weightDecay };
    this.#fused = canFuse(params);
    this.#mean = zerosLike(params);
    this.#square = zerosLike(params);
  }

  /** Moves the parameters by their gradients. */
  step(): void {
    scope(() =>
      noGrad(() => {
        const gradients = this.params.map((param) => param.grad);
        const used = [...gradients.keys()].filter((i) => gradients[i] !== null);
        for (const i of used) this.#steps[i]++;
        if (used.length === 0) return;
        if (this.#fused) this.#stepFused(used, gradients as Tensor[]);
        else for (const group of groupBy(used, (i) => this.#steps[i])) this.#stepGroup(group, gradients as Tensor[]);
      }),
    );
  }

  #stepFused(used: readonly number[], gradients: readonly Tensor[]): void {
    const pick = <T>(list: readonly T[]) => used.map((i) => list[i]);
    const settings = { ...this.#settings, lr: this.lr, steps: pick(this.#steps) };
    adamwStep_(pick(this.params), pick(gradients), pick(this.#mean), pick(this.#square), settings);
  }

  /** Parameters that have made the same number of steps, by list operators. */
  #stepGroup(group: readonly number[], gradients: readonly Tensor[]): void {
    const { betas, eps, weightDecay } = this.#settings;
    const pick = <T>(list: readonly T[]) => group.map((i) => list[i]);
    const [params, mean, square] = [pick(this.params), pick(this.#mean), pick(this.#square)];
    const grads = pick(gradients).map((grad) => grad.contiguous());
    const step = this.#steps[group[0]];
    if (weightDecay !== 0) foreach.mul_(params, 1 - this.lr * weightDecay);
    foreach.mul_(mean, betas[0]);
    foreach.add_(mean, grads, 1 - betas[0]);
    foreach.mul_(square, betas[1]);
    foreach.addcmul_(square, grads, grads, 1 - betas[1]);
    const denominator = foreach.sqrt(square);
    foreach.div_(denominator, Math.sqrt(1 - betas[1] ** step));
    foreach.addScalar_(denominator, eps);
    foreach.addcdiv_(params, mean, denominator, -this.lr / (1 - betas[0] ** step));
  }

  /** Forgets the gradients. */
  zeroGrad(): void {
    for (const param of this.params) param.grad = null;
  }

  /** What a checkpoint keeps. */
  stateTensors(): Map<string, Tensor> {
    const state = packState(Math.max(0, ...this.#steps), { exp_avg: this.#mean, exp_avg_sq: this.#square });
    for (const [i, steps] of this.#steps.entries()) state.set(`${i}.step`, tensor(steps, { dtype: "int64" }));
    return state;
  }
  /**
   * Where a parameter has no count of its own, as in states of before, it has the one for all; or none, while its averages
   * are 0: it had no gradient yet.
   * @throws when the state belongs to other parameters
   */
  loadStateTensors(state: ReadonlyMap<string, Tensor>): void {
    const step = unpackState(state, { exp_avg: this.#mean, exp_avg_sq: this.#square });
    this.#steps = this.#square.map((square, i) => {
      const own = state.get(`${i}.step`);
      return own ? own.item() : scope(() => square.any().item()) ? step : 0;
    });
  }
}

function groupBy<T>(list: readonly T[], key: (item: T) => number): T[][] {
  const groups = new Map<number, T[]>();
  for (const item of list) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return [...groups.values()];
}
