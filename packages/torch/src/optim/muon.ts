import { preferredPrecision } from "../autocast.ts";
import { noGrad } from "../autograd.ts";
import { stack } from "../functions.ts";
import { muonStep_ } from "../fused.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { foreach } from "./foreach.ts";
import { canFuse, checkDistinct, packState, unpackState, zerosLike } from "./state.ts";

export interface MuonOptions {
  lr?: number;
  momentum?: number;
  nesterov?: boolean;
  weightDecay?: number;
  /** Newton–Schulz steps. */
  steps?: number;
}

/**
 * Muon (Jordan et al., 2024): momentum whose matrices are made orthogonal before they are applied. For hidden
 * matrices only; give edges, norms and biases to AdamW.
 */
export class Muon {
  lr: number;
  readonly params: readonly Tensor[];
  readonly #settings: Required<Omit<MuonOptions, "lr">>;
  readonly #momentum: Tensor[];
  readonly #fused: boolean;
  #step = 0;

  /** @throws unless every parameter is a matrix, listed once */
  constructor(
    params: readonly Tensor[],
    { lr = 0.02, momentum = 0.95, nesterov = true, weightDecay = 0, steps = 5 }: MuonOptions = {},
  ) {
    const odd = params.find((param) => param.ndim !== 2);
    if (odd) throw new Error(`Muon trains matrices; a parameter of shape [${odd.shape}] belongs to AdamW`);
    checkDistinct("Muon", params);
    this.params = params;
    this.lr = lr;
    this.#settings = { momentum, nesterov, weightDecay, steps };
    this.#fused = canFuse(params);
    this.#momentum = zerosLike(params);
  }

  /** Moves the parameters by their gradients. */
  step(): void {
    const { momentum, nesterov, weightDecay, steps } = this.#settings;
    this.#step++;
    scope(() =>
      noGrad(() => {
        if (this.#fused) {
          this.#stepFused();
          return;
        }
        for (const places of this.#byShape()) {
          const params = places.map((i) => this.params[i]);
          const buffers = places.map((i) => this.#momentum[i]);
          const grads = params.map((param) => param.grad as Tensor);
          foreach.mul_(buffers, momentum);
          foreach.add_(buffers, grads, 1 - momentum);
          const updates = nesterov ? grads.map((grad, i) => grad.lerp(buffers[i], momentum)) : buffers;
          const [rows, columns] = params[0].shape;
          const orthogonal = orthogonalise(stack(updates), steps).float().unbind(0);
          if (weightDecay !== 0) foreach.mul_(params, 1 - this.lr * weightDecay);
          foreach.add_(params, orthogonal, -this.lr * Math.sqrt(Math.max(1, rows / columns)));
        }
      }),
    );
  }

  #stepFused(): void {
    const used = [...this.params.keys()].filter((i) => this.params[i].grad !== null);
    const grads = used.map((i) => (this.params[i].grad as Tensor).contiguous());
    const pick = (list: readonly Tensor[]) => used.map((i) => list[i]);
    const settings = { ...this.#settings, lr: this.lr, dtype: preferredPrecision() };
    if (used.length > 0) muonStep_(pick(this.params), grads, pick(this.#momentum), settings);
  }

  /** Places of parameters with a gradient, grouped by shape: matrices of one shape are made orthogonal together. */
  #byShape(): number[][] {
    const groups = new Map<string, number[]>();
    for (const [i, param] of this.params.entries()) {
      if (param.grad === null) continue;
      const key = param.shape.join();
      groups.set(key, [...(groups.get(key) ?? []), i]);
    }
    return [...groups.values()];
  }

  /** Forgets the gradients. */
  zeroGrad(): void {
    for (const param of this.params) param.grad = null;
  }

  /** What a checkpoint keeps. */
  stateTensors(): Map<string, Tensor> {
    return packState(this.#step, { momentum: this.#momentum });
  }
  /** @throws when the state belongs to other parameters */
  loadStateTensors(state: ReadonlyMap<string, Tensor>): void {
    this.#step = unpackState(state, { momentum: this.#momentum });
  }
}

/**
 * Moves every singular value of `matrices [B, R, C]` towards 1 by a quintic Newton–Schulz iteration, without an SVD.
 * Its coefficients give up accuracy (values end in 0.7…1.2) for speed from small values. In bfloat16 where the
 * processor multiplies it in hardware.
 */
export function orthogonalise(matrices: Tensor, steps = 5): Tensor {
  return scope(() => {
    const [a, b, c] = [3.4445, -4.775, 2.0315];
    const [, rows, columns] = matrices.shape;
    const tall = rows > columns;
    const wide = (tall ? matrices.transpose(1, 2) : matrices).to(preferredPrecision());
    let x = wide.div(wide.norm([1, 2], { keepdim: true }).add(1e-7));
    for (let i = 0; i < steps; i++) {
      const gram = x.matmul(x.transpose(1, 2));
      const polynomial = gram.mul(b).add(gram.matmul(gram).mul(c));
      x = x.mul(a).add(polynomial.matmul(x));
    }
    return tall ? x.transpose(1, 2) : x;
  });
}
