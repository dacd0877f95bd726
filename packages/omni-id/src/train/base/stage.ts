import { KeyedRandom } from "@omni-id/data";
import { scope } from "@omni-id/torch";
import { type FlowBase, flowError, noised } from "../../flow-base.ts";
import { drawFlow, type FlowDraws, keyedGenerator } from "../../people/draws.ts";
import type { People } from "../../people/people.ts";
import type { FetchedPictures, Pictures } from "../../people/picture-source.ts";
import { Urn } from "../../people/sample.ts";
import { wordsOf } from "../../people/words-of.ts";
import type { FlowPreset } from "../../presets/schema.ts";
import { type FaceWeights, faceWeights } from "../face-weights.ts";
import { peopleLayout } from "../people-layout.ts";
import { peopleTokens } from "../people-tokens.ts";
import { partOf, rowsOf, type Share } from "../share.ts";
import { type HeldOutReport, type ParameterGroup, parameterGroups, type Stage, type StepResult } from "../stage.ts";

const DRAW = { rows: 11, flow: 12 } as const;

export interface BaseBatch extends FlowDraws {
  rows: number[];
  prompts: string[];
}

export interface BaseStageOptions {
  model: FlowBase;
  people: People;
  preset: FlowPreset;
  seed: number;
  heldOut?: (step: number) => HeldOutReport;
}

/**
 * The nano base: a FLUX trained from nothing to draw faces, some told in words, the others by the fixed prompt alone.
 * The paper takes FLUX.1-dev here. It knows nobody: whom to draw comes later, through the adapter.
 */
export class BaseStage implements Stage<BaseBatch> {
  readonly name = "base";
  readonly model: FlowBase;
  readonly groups: ParameterGroup[];
  readonly heldOut: ((step: number) => HeldOutReport) | undefined;
  readonly #people: People;
  readonly #urn: Urn;
  readonly #preset: FlowPreset;
  readonly #seed: number;
  readonly #faces: FaceWeights | undefined;

  constructor({ model, people, preset, seed, heldOut }: BaseStageOptions) {
    this.model = model;
    this.heldOut = heldOut;
    this.#people = people;
    this.#urn = new Urn(people);
    this.#preset = preset;
    this.#seed = seed;
    this.#faces = faceWeights(people, { patchSize: model.patchSize, weight: preset.base.faceWeight });
    this.groups = parameterGroups(model);
    model.prompts.captions = true;
  }

  batch(step: number): BaseBatch {
    const { base, prompt } = this.#preset;
    const random = new KeyedRandom(this.#seed, step, DRAW.rows);
    const rows = Array.from({ length: base.batch }, () => this.#urn.row(random));
    const prompts = rows.map((row) => (random.chance(base.captions) && wordsOf(this.#people, row, random)) || prompt);
    const draws = drawFlow(keyedGenerator(this.#seed, step, DRAW.flow), base.batch, this.model.tokenShape, base.times);
    return { rows, prompts, ...draws };
  }

  part({ rows, prompts, t, noise }: BaseBatch, share: Share): BaseBatch {
    const what = "pictures (flow.base.batch)";
    return {
      rows: partOf(share, rows, what),
      prompts: partOf(share, prompts, what),
      t: rowsOf(share, t, what),
      noise: rowsOf(share, noise, what),
    };
  }

  describe({ rows }: BaseBatch): string {
    return rows.map((row) => this.#people.nameOf(row)).join(" ");
  }

  fetch({ rows }: BaseBatch): Promise<FetchedPictures> | undefined {
    return this.#people.fetch({ crops: rows });
  }

  loss(
    { rows, prompts, t, noise }: BaseBatch,
    _step?: number,
    _share?: Share,
    pictures: Pictures = this.#people,
  ): StepResult {
    const x = peopleTokens(this.model, pictures, rows);
    const layout = peopleLayout(this.model, this.#people, rows);
    const velocity = this.model.velocity(noised(x, noise, t), t, this.model.prompts.encode(prompts), {}, layout);
    return { loss: flowError(velocity, x, noise, this.#faces?.of(rows)).mean(), metrics: {} };
  }
}

/** Everything that lets a fresh FLUX start calmly: no block speaks at first, and the first velocity is zero. */
export function startFromZero({ flux }: FlowBase): void {
  const quiet = /(_mod|modulation(_img|_txt)?)\.(lin|1)\.|final_layer\.linear\./;
  for (const [key, parameter] of flux.namedParameters()) if (quiet.test(key)) scope(() => parameter.detach().zero_());
}
