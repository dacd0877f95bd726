import { autocast, cat, noGrad, preferredPrecision, randn, scope, type Tensor, zeros } from "@omni-id/torch";
import type { FlowBase, Steering } from "../flow-base.ts";
import { keyedGenerator } from "../people/draws.ts";
import { guide, SOLVERS, type SolverName, schedule } from "../sampling.ts";

export interface DrawOptions {
  /** Pictures to draw. */
  count: number;
  /** The same seed gives the same pictures on the same machine. */
  seed: number;
  prompt: string;
  /** Whom to draw, and in which pose; the bare base draws anybody. */
  conditions?: Steering;
  /** What guidance leads away from; the same without the identity. */
  without?: Steering;
  /** Guidance against `without`; 1 is none. */
  guidance?: number;
  steps?: number;
  solver?: SolverName;
  /** Called after each step with the picture that the model sees, `[count, 3, S, S]`. */
  onStep?: (step: number, steps: number, pictures: () => Tensor) => void;
}

/** Purpose of the generator that noise is drawn with. */
const NOISE = 31;
const STEPS = 20;

/** Draws pictures from noise: `[count, 3, S, S]` in [−1, 1]. */
export function drawPictures(base: FlowBase, options: DrawOptions): Tensor {
  const { count, seed, prompt, conditions, without, guidance = 1, steps = STEPS, solver = "dpm", onStep } = options;
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`${count} pictures: ask for 1 or more`);
  return scope(() =>
    noGrad(() => {
      const [tokens, channels] = base.tokenShape;
      const fast = preferredPrecision() === "bfloat16";
      const prompts = base.prompts.encode(Array.from({ length: count }, () => prompt));
      // Picture by picture, so that the first ones do not change when more are asked for.
      const noise = Array.from({ length: count }, (_, i) =>
        randn([1, tokens, channels], { generator: keyedGenerator(seed, i, NOISE) }),
      );
      const velocity = (x: Tensor, time: number) =>
        scope(() => {
          const t = zeros([count]).add(time);
          const ask = (steering: Steering | undefined) =>
            autocast({ dtype: "bfloat16", enabled: fast }, () => base.velocity(x, t, prompts, steering));
          return guidance === 1 ? ask(conditions) : guide(ask(conditions), ask(without), guidance);
        });
      const times = schedule({ steps, tokens });
      const told = onStep && ((step: number, x: Tensor) => onStep(step, steps, () => base.pictures(x).clamp(-1, 1)));
      const drawn = SOLVERS[solver](velocity, cat(noise), times, { onStep: told });
      return base.pictures(drawn).clamp(-1, 1);
    }),
  );
}
