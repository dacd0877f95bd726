import { noGrad } from "../autograd.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { foreach } from "./foreach.ts";
import { packState, unpackState } from "./state.ts";

export interface EMAOptions {
  /** Share that the average keeps at each update. */
  decay?: number;
  /** Start with a short memory: decay at update t is at most t / (t + 10). */
  warmup?: boolean;
}

/** An exponential moving average of parameters. */
export class EMA {
  readonly params: readonly Tensor[];
  readonly #average: Tensor[];
  readonly #decay: number;
  readonly #warmup: boolean;
  #step = 0;

  constructor(params: readonly Tensor[], { decay = 0.999, warmup = true }: EMAOptions = {}) {
    this.params = params;
    this.#decay = decay;
    this.#warmup = warmup;
    this.#average = params.map((param) => scope(() => noGrad(() => param.detach().clone())).keep());
  }

  /** Takes the parameters as they are now into the average. */
  update(): void {
    this.#step++;
    const decay = this.#warmup ? Math.min(this.#decay, this.#step / (this.#step + 10)) : this.#decay;
    scope(() =>
      noGrad(() => {
        foreach.mul_(this.#average, decay);
        foreach.add_(
          this.#average,
          this.params.map((param) => param.detach()),
          1 - decay,
        );
      }),
    );
  }

  /** Exchanges parameters and averages; a second call puts them back. */
  swap(): void {
    scope(() =>
      noGrad(() => {
        for (const [i, param] of this.params.entries()) {
          const before = param.detach().clone();
          param.copy_(this.#average[i]);
          this.#average[i].copy_(before);
        }
      }),
    );
  }

  /** What a checkpoint keeps. */
  stateTensors(): Map<string, Tensor> {
    return packState(this.#step, { average: this.#average });
  }
  /** @throws when the state belongs to other parameters */
  loadStateTensors(state: ReadonlyMap<string, Tensor>): void {
    this.#step = unpackState(state, { average: this.#average });
  }
}
