import { autocast, cat, noGrad, preferredPrecision, randn, scope, type Tensor, zeros } from "@omni-id/torch";
import type { Prompts } from "../backbones/words.ts";
import type { Conditions, FlowBase } from "../flow-base.ts";
import { keyedGenerator } from "../people/draws.ts";
import { SOLVERS } from "../sampling.ts";
import {
  guide,
  guideScene,
  type IdentitySpan,
  identityAt,
  type SceneGuidance,
  type SolverName,
  schedule,
} from "../sampling-steps.ts";
import { checkCount, NOISE, STEPS } from "./draw-settings.ts";

/** One picture to draw. */
export interface ScenePicture {
  prompt: string;
  /** The same seed and number give the same noise, whatever is drawn beside it. */
  seed: number;
  number: number;
}

export interface SceneOptions {
  pictures: readonly ScenePicture[];
  /** What the text leads away from: the prompt of pictures that were told nothing in training, or a negative prompt. */
  negative: string;
  /** Whom to draw, picture by picture; anybody when absent. */
  conditions?: Conditions;
  /** Where heads are and how they are held, `[B, N, C]`, for a model that is told of layouts; untold when absent. */
  layout?: Tensor | undefined;
  /** Each 1: as the model says by itself. */
  guidance: SceneGuidance;
  /** In which share of the steps the identity is told; all of them when absent. */
  span?: IdentitySpan;
  /** 20 when absent. */
  steps?: number;
  /** dpm when absent. */
  solver?: SolverName;
  /** What products are computed in; the faster one here when absent. */
  precision?: "float32" | "bfloat16";
  /** Called after each step. */
  onStep?: (step: number, steps: number) => void;
}

/**
 * Draws people in scenes from noise: `[B, 3, S, S]` in [−1, 1], with a guidance for the words and one for the
 * identity. The model is asked up to three times for a velocity, and never for what has no weight.
 */
export function drawScene(base: FlowBase, options: SceneOptions): Tensor {
  const { pictures, negative, conditions, layout, guidance, span = { start: 0, end: 1 }, onStep } = options;
  const { steps = STEPS, solver = "dpm", precision = preferredPrecision() } = options;
  const count = pictures.length;
  checkCount(count);
  return scope(() =>
    noGrad(() => {
      const [tokens, channels] = base.tokenShape;
      const words = base.prompts.encode(pictures.map(({ prompt }) => prompt));
      const away = base.prompts.encode(pictures.map(() => negative));
      const noise = pictures.map(({ seed, number }) =>
        randn([1, tokens, channels], { generator: keyedGenerator(seed, number, NOISE) }),
      );
      const times = schedule({ steps, tokens, shift: base.drawing.shift });
      const velocity = (x: Tensor, time: number) =>
        scope(() => {
          const t = zeros([count]).add(time);
          const ask = (prompts: Prompts, steering?: Conditions) =>
            autocast({ dtype: "bfloat16", enabled: precision === "bfloat16" }, () =>
              base.velocity(x, t, prompts, steering, layout),
            );
          const withIdentity = conditions && guidance.identity !== 0 && identityAt(stepOf(times, time), steps, span);
          if (!withIdentity) {
            const text = ask(words);
            return guidance.text === 1 ? text : guide(text, ask(away), guidance.text);
          }
          const both = ask(words, conditions);
          if (guidance.text === 1 && guidance.identity === 1) return both;
          const text = ask(words);
          return guideScene({ both, text, negative: guidance.text === 1 ? text : ask(away) }, guidance);
        });
      const seen = onStep && ((step: number) => onStep(step, steps));
      return base.pictures(SOLVERS[solver](velocity, cat(noise), times, { onStep: seen })).clamp(-1, 1);
    }),
  );
}

/** The step that begins at a time, or for Heun's second look, ends there. */
function stepOf(times: readonly number[], time: number): number {
  return Math.min(times.indexOf(time), times.length - 2);
}
