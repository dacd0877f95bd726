import { noGrad } from "../autograd.ts";
import { tensor } from "../factories.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { foreach } from "./foreach.ts";

export interface GradScalerOptions {
  /** What losses are multiplied by at first. */
  scale?: number;
  /** Factor after `interval` steps without an overflow. */
  growth?: number;
  /** Factor after an overflow. */
  backoff?: number;
  interval?: number;
}

/**
 * Dynamic loss scaling for float16, whose smallest numbers swallow gradients (Micikevicius et al., 2018; as
 * `torch.amp.GradScaler`). `scaled(loss).backward()`, then `unscale(parameters)`, then, when all gradients are finite, the
 * optimiser's step; `update` tells it which.
 */
export class GradScaler {
  #scale: number;
  /** Steps since the last change. */
  #calm = 0;
  readonly #settings: Required<Omit<GradScalerOptions, "scale">>;

  constructor({ scale = 2 ** 16, growth = 2, backoff = 0.5, interval = 2000 }: GradScalerOptions = {}) {
    this.#scale = scale;
    this.#settings = { growth, backoff, interval };
  }

  get scale(): number {
    return this.#scale;
  }

  scaled(loss: Tensor): Tensor {
    return loss.mul(this.#scale);
  }

  /** Brings gradients back to their size; what overflowed stays infinite or NaN. */
  unscale(params: readonly Tensor[]): void {
    scope(() =>
      noGrad(() => {
        const grads = params.map((param) => param.grad).filter((grad): grad is Tensor => grad !== null);
        if (grads.length > 0) foreach.mul_(grads, 1 / this.#scale);
      }),
    );
  }

  /** After each step. @param finite whether its gradients were: if not, the step has to be left out */
  update(finite: boolean): void {
    const { growth, backoff, interval } = this.#settings;
    this.#calm = finite ? this.#calm + 1 : 0;
    if (!finite) this.#scale *= backoff;
    else if (this.#calm === interval) {
      this.#scale *= growth;
      this.#calm = 0;
    }
  }

  /** What a checkpoint keeps. */
  stateTensors(): Map<string, Tensor> {
    return new Map([
      ["scale", tensor(this.#scale, { dtype: "float64" })],
      ["calm", tensor(this.#calm, { dtype: "int64" })],
    ]);
  }
  /** A state of a run that had no scaler leaves it as it is. */
  loadStateTensors(state: ReadonlyMap<string, Tensor>): void {
    this.#scale = state.get("scale")?.item() ?? this.#scale;
    this.#calm = state.get("calm")?.item() ?? this.#calm;
  }
}
