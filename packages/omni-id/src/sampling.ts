import { scope, type Tensor } from "@omni-id/torch";

/**
 * Sampling of rectified flow as pure functions. Time t runs from 1 (noise) to 0 (picture); the model's velocity at
 * x_t = (1 − t) x₀ + t ε is ε − x₀.
 */

/** The model, as a sampler sees it: tokens `[B, N, C]` at time t → velocity `[B, N, C]`. */
export type Velocity = (x: Tensor, t: number) => Tensor;

/** How far times are moved towards the noise, by the tokens of the picture and the number of steps: μ. */
export type Shift = (tokens: number, steps: number) => number;

/** FLUX.1 (flux/sampling.py): on the line through 0.5 at 256 tokens and 1.15 at 4,096. */
export const fluxShift: Shift = (tokens) => 0.5 + ((tokens - 256) * 0.65) / 3840;

/**
 * FLUX.2 (flux2/sampling.py, compute_empirical_mu): fitted at 10 and at 200 steps, on a line between the two. Above
 * 4,300 tokens the steps no longer count; the jump there is upstream's own.
 */
export const flux2Shift: Shift = (tokens, steps) => {
  const at200 = 0.00016927 * tokens + 0.45666666;
  const at10 = 8.73809524e-5 * tokens + 1.89833333;
  return tokens > 4300 ? at200 : at200 + ((steps - 200) * (at200 - at10)) / 190;
};

export interface ScheduleOptions {
  steps: number;
  /** Tokens of the picture to draw: more of them need more of their steps in the noise. */
  tokens: number;
  /** How times are moved towards the noise; false leaves them as they are (FLUX.1-schnell). FLUX.1-dev's when absent. */
  shift?: Shift | false;
}

/** Times from 1 to 0, `steps + 1` of them: linspace, then t′ = e^μ / (e^μ + 1/t − 1). */
export function schedule({ steps, tokens, shift = fluxShift }: ScheduleOptions): number[] {
  if (!Number.isInteger(steps) || steps < 1) throw new RangeError(`sampling takes 1 or more steps, not ${steps}`);
  const e = shift ? Math.exp(shift(tokens, steps)) : 1;
  return Array.from({ length: steps + 1 }, (_, i) => {
    const t = 1 - i / steps;
    return shift && t > 0 ? e / (e + 1 / t - 1) : t;
  });
}

export interface SamplerOptions {
  /** Called after each step with what the model now takes the picture to be. */
  onStep?: (step: number, picture: Tensor) => void;
}

/** A solver: from noise `x` along `times` to a picture, `[B, N, C]`. */
export type Solver = (velocity: Velocity, x: Tensor, times: readonly number[], options?: SamplerOptions) => Tensor;

/** Euler: x += (t′ − t) v. One evaluation a step. */
export const euler: Solver = (velocity, start, times, { onStep } = {}) =>
  steps(
    start,
    times,
    (x, t, next) => {
      const v = velocity(x, t);
      return { x: x.add(v.mul(next - t)), picture: onStep && x.sub(v.mul(t)) };
    },
    onStep,
  );

/** Heun: Euler's step, then the mean of the velocities at its two ends. Two evaluations a step, one in the last. */
export const heun: Solver = (velocity, start, times, { onStep } = {}) =>
  steps(
    start,
    times,
    (x, t, next) => {
      const v = velocity(x, t);
      const guess = x.add(v.mul(next - t));
      const picture = onStep && x.sub(v.mul(t));
      if (next === 0) return { x: guess, picture };
      return { x: x.add(v.add(velocity(guess, next)).mul((next - t) / 2)), picture };
    },
    onStep,
  );

/**
 * DPM-Solver++(2M) (Lu et al., 2022) for α = 1 − t, σ = t: steps in λ = log(α/σ), with the picture that the model
 * sees extrapolated from this step and the one before. One evaluation a step. The first and the last step, where λ
 * is infinite, are of first order.
 */
export const dpmSolver: Solver = (velocity, start, times, { onStep } = {}) => {
  const lambda = (t: number) => Math.log((1 - t) / t);
  let before: { picture: Tensor; t: number } | undefined;
  const result = steps(
    start,
    times,
    (x, t, next) => {
      const picture = x.sub(velocity(x, t).mul(t)).keep();
      let seen = picture;
      if (before && next > 0 && before.t < 1) {
        const ratio = (lambda(t) - lambda(before.t)) / (lambda(next) - lambda(t));
        seen = picture.lerp(before.picture, -1 / (2 * ratio));
      }
      before?.picture.dispose();
      before = { picture, t };
      // σ′/σ x + (α′ − α σ′/σ) D, which at first order is Euler's step written with the picture D.
      const keep = next / t;
      return { x: x.mul(keep).add(seen.mul(1 - next - (1 - t) * keep)), picture };
    },
    onStep,
  );
  before?.picture.dispose();
  return result;
};

export const SOLVERS = { euler, heun, dpm: dpmSolver } as const satisfies Record<string, Solver>;
export type SolverName = keyof typeof SOLVERS;

type Step = (x: Tensor, t: number, next: number) => { x: Tensor; picture?: Tensor };

function steps(start: Tensor, times: readonly number[], step: Step, onStep: SamplerOptions["onStep"]): Tensor {
  let x = start;
  for (let i = 0; i + 1 < times.length; i++) {
    const next = scope(() => {
      const made = step(x, times[i], times[i + 1]);
      if (onStep && made.picture) onStep(i + 1, made.picture);
      return made.x;
    });
    if (x !== start) x.dispose();
    x = next;
  }
  return x;
}

/** Guidance: away from what the model would do without the condition, by `scale`; 1 changes nothing. */
export function guide(conditional: Tensor, unconditional: Tensor, scale: number): Tensor {
  return unconditional.lerp(conditional, scale);
}
