import { distributed, optim, type Tensor } from "@omni-id/torch";
import type { Optimisation } from "../presets/schema.ts";
import type { ParameterGroup } from "./stage.ts";

/** Share of the full rate at `step` (1 is the first): linear warm-up, constant, linear decay to zero. */
export function rateFactor(step: number, { steps, warmup, decay }: Optimisation): number {
  const rising = warmup > 0 ? step / warmup : 1;
  const falling = decay > 0 ? (steps - step + 1) / (decay * steps) : 1;
  return Math.max(0, Math.min(1, rising, falling));
}

type StateHolder = Pick<distributed.Optimiser, "stateTensors" | "loadStateTensors">;

/** The optimisers of a stage, and the moving average of what they train. */
export class Optimisers {
  readonly parameters: Tensor[];
  readonly average: optim.EMA;
  /** For gradients that are computed in float16. */
  readonly scaler: optim.GradScaler | undefined;
  readonly #parts: { optimiser: distributed.Optimiser; rate: number }[];
  readonly #settings: Optimisation;

  /**
   * @param divides processes among whom the optimisers' state is divided
   * @param scaler for float16
   */
  constructor(
    groups: readonly ParameterGroup[],
    settings: Optimisation,
    divides?: distributed.ProcessGroup,
    scaler?: optim.GradScaler,
  ) {
    this.#settings = settings;
    this.scaler = scaler;
    this.parameters = groups.flatMap((group) => group.parameters);
    this.average = new optim.EMA(this.parameters, { decay: settings.ema });
    this.#parts = groups.map(({ optimiser: wanted, rate, parameters }) => {
      // A rate of 0 switches Muon off: AdamW alone, the paper's form.
      const kind = settings.muon > 0 ? wanted : "adamw";
      const make = (share: readonly Tensor[]) =>
        kind === "muon"
          ? new optim.Muon(share, { lr: settings.muon, weightDecay: 0.01 })
          : new optim.AdamW(share, { lr: settings.adamw, betas: [0.9, 0.99], weightDecay: 0 });
      const optimiser = divides ? new distributed.ShardedOptimiser(divides, parameters, make) : make(parameters);
      return { optimiser, rate: rate * settings[kind] };
    });
  }

  /** Clips the gradients; returns their norm before it. Weights are not touched. */
  clip(): number {
    return optim.clipGradNorm(this.parameters, this.#settings.clip);
  }

  /** Steps, averages and clears the gradients. */
  step(step: number): void {
    const factor = rateFactor(step, this.#settings);
    for (const { optimiser, rate } of this.#parts) {
      optimiser.lr = rate * factor;
      optimiser.step();
      optimiser.zeroGrad();
    }
    this.average.update();
  }

  /** Forgets the gradients of a step that is left out. */
  skip(): void {
    for (const { optimiser } of this.#parts) optimiser.zeroGrad();
  }

  /** Everything that a resumed run needs, by key. */
  stateTensors(): Map<string, Tensor> {
    const state = new Map<string, Tensor>();
    for (const [prefix, part] of this.#sources()) {
      for (const [key, tensor] of part.stateTensors()) state.set(`${prefix}.${key}`, tensor);
    }
    return state;
  }

  loadStateTensors(state: ReadonlyMap<string, Tensor>): void {
    for (const [prefix, part] of this.#sources()) {
      const own = [...state].filter(([key]) => key.startsWith(`${prefix}.`));
      part.loadStateTensors(new Map(own.map(([key, tensor]) => [key.slice(prefix.length + 1), tensor])));
    }
  }

  #sources(): [string, StateHolder][] {
    const parts = this.#parts.map(({ optimiser }, i): [string, StateHolder] => [`optimiser.${i}`, optimiser]);
    const scaler: [string, StateHolder][] = this.scaler ? [["scaler", this.scaler]] : [];
    return [...parts, ["average", this.average], ...scaler];
  }
}
