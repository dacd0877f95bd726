import { autocast, cat, noGrad, preferredPrecision, randn, scope, type Tensor, zeros } from "@omni-id/torch";
import type { Prompts } from "../backbones/words.ts";
import type { Conditions, FlowBase, StepConditions } from "../flow-base.ts";
import { keyedGenerator } from "../people/draws.ts";
import { SOLVERS } from "../sampling.ts";
import { guide, type SolverName, schedule } from "../sampling-steps.ts";
import { checkCount, NOISE, STEPS } from "./draw-settings.ts";

export interface DrawOptions {
  /** Pictures to draw. */
  count: number;
  /** The same seed gives the same pictures on the same machine. */
  seed: number;
  prompt: string;
  /** Whom to draw; the bare base draws anybody. */
  conditions?: Conditions;
  /** What guidance leads away from; the bare base when absent. */
  without?: Conditions;
  /**
   * What is told at each step on both sides of guidance, as a ControlNet tells the pose. It knows nothing of the person,
   * so it is asked once a step where both sides have the same prompt.
   */
  control?: StepConditions;
  /** Guidance against `without`; 1 is none. The model's own when absent. */
  guidance?: number;
  /** The model's own when absent, or 20. */
  steps?: number;
  /** The model's own when absent, or dpm. */
  solver?: SolverName;
  /** What products are computed in; the faster one here when absent. */
  precision?: "float32" | "bfloat16";
  /** Called after each step with the picture that the model sees, `[count, 3, S, S]`. */
  onStep?: (step: number, steps: number, pictures: () => Tensor) => void;
}

/** Draws pictures from noise: `[count, 3, S, S]` in [−1, 1]. */
export function drawPictures(base: FlowBase, options: DrawOptions): Tensor {
  const { drawing } = base;
  const { count, seed, prompt, conditions, without, control, onStep, precision = preferredPrecision() } = options;
  const { guidance = drawing.guidance ?? 1, steps = drawing.steps ?? STEPS } = options;
  const { solver = drawing.solver ?? "dpm" } = options;
  checkCount(count);
  return scope(() =>
    noGrad(() => {
      const [tokens, channels] = base.tokenShape;
      const fast = precision === "bfloat16";
      const encoded = (text: string) => base.prompts.encode(Array.from({ length: count }, () => text));
      const prompts = encoded(prompt);
      // Where the model has an empty prompt, guidance leads away from that too.
      const empty = guidance === 1 || drawing.emptyPrompt === undefined ? prompts : encoded(drawing.emptyPrompt);
      // Picture by picture, so that the first ones do not change when more are asked for.
      const noise = Array.from({ length: count }, (_, i) =>
        randn([1, tokens, channels], { generator: keyedGenerator(seed, i, NOISE) }),
      );
      const velocity = (x: Tensor, time: number) =>
        scope(() => {
          const t = zeros([count]).add(time);
          const quickly = <T>(run: () => T) => autocast({ dtype: "bfloat16", enabled: fast }, run);
          const told = (words: Prompts) => control && quickly(() => control(base.input(x, t, words)));
          const ask = (words: Prompts, given: Conditions | undefined, also: Conditions | undefined) =>
            quickly(() => base.velocity(x, t, words, { ...given, ...also }));
          const pose = told(prompts);
          const asked = ask(prompts, conditions, pose);
          return guidance === 1
            ? asked
            : guide(asked, ask(empty, without, empty === prompts ? pose : told(empty)), guidance);
        });
      const times = schedule({ steps, tokens, shift: drawing.shift });
      const seen = onStep && ((step: number, x: Tensor) => onStep(step, steps, () => base.pictures(x).clamp(-1, 1)));
      const drawn = SOLVERS[solver](velocity, cat(noise), times, { onStep: seen });
      return base.pictures(drawn).clamp(-1, 1);
    }),
  );
}
