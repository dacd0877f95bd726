import { cat, noGrad, randn, scope, type Tensor, zeros } from "@omni-id/torch";
import { VocabularyEncoder } from "../../backbones/words.ts";
import type { FlowBase } from "../../flow-base.ts";
import { keyedGenerator } from "../../people/draws.ts";
import type { People } from "../../people/people.ts";
import { sample } from "../../people/sample.ts";
import { saveSheet, toRgb } from "../../pictures/picture.ts";
import type { Preset } from "../../presets/schema.ts";
import { euler } from "../../sampling.ts";
import { schedule } from "../../sampling-steps.ts";
import { vocabularyOf } from "../../text/prompt-words.ts";
import { buildFlowBase } from "../../weights/build.ts";
import { startAutoencoder, startFlowBase } from "../../weights/flow.ts";
import { fitLatents } from "../autoencoder/fit.ts";
import { figuresLine } from "../figures-line.ts";
import { heldOutError } from "../held-out-error.ts";
import { peopleLayout } from "../people-layout.ts";
import { peopleTokens } from "../people-tokens.ts";
import type { HeldOutReport } from "../stage.ts";
import { type OpenStageOptions, openStagePeople } from "../stage-people.ts";
import { BaseStage, startFromZero } from "./stage.ts";

export interface OpenedBase {
  stage: BaseStage;
  model: FlowBase;
  people: People;
  /** How the base that it started from was trained. */
  before: Readonly<Record<string, string>> | undefined;
}

/** Purpose of the generator of held-out noise. */
const HELD_OUT_DRAW = 13;
const TIMES = [0.2, 0.5, 0.8, 0.95];

export interface OpenBaseStageOptions extends OpenStageOptions {
  /** Folder of the flow base to start from; from nothing when absent. */
  base?: string;
  /** Folder of the autoencoder to draw with; the base's own, or fitted, when absent. */
  autoencoder?: string;
}

/** The nano base on a folder of shards. */
export async function openBaseStage(options: OpenBaseStageOptions): Promise<OpenedBase> {
  const { preset, seed, note } = options;
  const { people, validation } = await openStagePeople(options, {
    imageSize: preset.flow.imageSize,
    pictures: preset.flow.pictures,
  });
  const model = buildFlowBase(preset);
  const before = options.base === undefined ? undefined : await startFlowBase(model, options.base);
  if (!before) startFromZero(model);
  if (options.autoencoder !== undefined) await startAutoencoder(model.latents, options.autoencoder);
  await fitLatents(model.latents, people, { fit: !before && options.autoencoder === undefined, note });
  if (!before && model.prompts instanceof VocabularyEncoder && "vocabulary" in preset.flow.prompts) {
    model.prompts.vocabulary = vocabularyOf(
      [preset.flow.prompt, ...people.captions, ...people.wordings.flat()],
      preset.flow.prompts.vocabulary,
    );
  }
  const heldOut = validation && ((step: number) => reportOn(model, validation, preset, step));
  return { stage: new BaseStage({ model, people, preset: preset.flow, seed, heldOut }), model, people, before };
}

function reportOn(model: FlowBase, validation: People, preset: Preset, step: number): HeldOutReport {
  const rows = sample(validation, 176);
  const fixed = rows.map(() => preset.flow.prompt);
  const told = rows.map((row) => validation.captions[row] || preset.flow.prompt);
  return noGrad(() => {
    const metrics: Record<string, number> = {};
    const x = scope(() => peopleTokens(model, validation, rows));
    const layout = peopleLayout(model, validation, rows);
    for (const [name, prompts] of [
      ["fixed", fixed],
      ["captions", told],
    ] as const) {
      const errors = TIMES.map((time) => heldOutError(model, x, { time, purpose: HELD_OUT_DRAW, prompts, layout }));
      for (const [i, time] of TIMES.entries()) metrics[`${name}_${time}`] = errors[i];
      metrics[name] = errors.reduce((sum, error) => sum + error, 0) / errors.length;
    }
    const prompts = [...fixed.slice(0, 20), ...told.slice(0, 20)];
    const shown = layout && cat([layout.narrow(0, 0, 20), layout.narrow(0, 0, 20)]);
    const made = scope(() => samplePictures(model, prompts, shown).unbind(0).map(toRgb));
    const picture = (file: string) =>
      saveSheet(file, {
        title: `step ${step}: two rows by the fixed prompt, two by captions of validation people`,
        columns: [],
        rows: [0, 10, 20, 30].map((from) => made.slice(from, from + 10)),
        notes: [figuresLine(metrics)],
        tile: 128,
      });
    return { metrics, picture };
  });
}

const STEPS = 25;

function samplePictures(model: FlowBase, prompts: readonly string[], layout: Tensor | undefined): Tensor {
  return scope(() => {
    const [tokens, channels] = model.tokenShape;
    const told = model.prompts.encode(prompts);
    const start = randn([prompts.length, tokens, channels], { generator: keyedGenerator(1, 0, HELD_OUT_DRAW) });
    const velocity = (x: Tensor, t: number) => model.velocity(x, zeros([prompts.length]).add(t), told, {}, layout);
    return model.pictures(euler(velocity, start, schedule({ steps: STEPS, tokens, shift: model.drawing.shift })));
  });
}
