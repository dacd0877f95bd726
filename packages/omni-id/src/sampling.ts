import { scope, type Tensor } from "@omni-id/torch";
import { dpmStep, eulerStep, heunStep, pictureAt, type SolverName } from "./sampling-steps.ts";

/** The solvers on tensors; their steps, times and guidance are in `sampling-steps.ts`. */

/** The model, as a sampler sees it: tokens `[B, N, C]` at time t → velocity `[B, N, C]`. */
export type Velocity = (x: Tensor, t: number) => Tensor;

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
      return { x: eulerStep(x, v, t, next), picture: onStep && pictureAt(x, v, t) };
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
      const guess = eulerStep(x, v, t, next);
      const picture = onStep && pictureAt(x, v, t);
      return { x: next === 0 ? guess : heunStep(x, v, velocity(guess, next), t, next), picture };
    },
    onStep,
  );

/** DPM-Solver++(2M). One evaluation a step. */
export const dpmSolver: Solver = (velocity, start, times, { onStep } = {}) => {
  let before: { picture: Tensor; t: number } | undefined;
  const result = steps(
    start,
    times,
    (x, t, next) => {
      const picture = pictureAt(x, velocity(x, t), t).keep();
      const made = dpmStep(x, picture, before, t, next);
      before?.picture.dispose();
      before = { picture, t };
      return { x: made, picture };
    },
    onStep,
  );
  before?.picture.dispose();
  return result;
};

export const SOLVERS = { euler, heun, dpm: dpmSolver } as const satisfies Record<SolverName, Solver>;

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
