import { KeyedRandom } from "@omni-id/data";
import { noGrad, scope, type Tensor } from "@omni-id/torch";
import type { LandmarkControl } from "../../adapters/landmark-control.ts";
import type { Encoder } from "../../encoder.ts";
import { atLeast } from "../../few-to-many.ts";
import { type Conditions, type FlowBase, flowError, noised } from "../../flow-base.ts";
import type { FlowAdapter } from "../../flow-decoder.ts";
import { drawFlow, type FlowDraws, keyedGenerator } from "../../people/draws.ts";
import { encodeRows } from "../../people/encode-rows.ts";
import type { People } from "../../people/people.ts";
import type { FetchedPictures, Pictures } from "../../people/picture-source.ts";
import { Urn } from "../../people/sample.ts";
import { landmarkPictures } from "../../pictures/landmark-pictures.ts";
import type { FlowPreset } from "../../presets/schema.ts";
import { peopleTokens } from "../people-tokens.ts";
import { ALONE, meanOf, partOf, rowsOf, type Share } from "../share.ts";
import { type HeldOutReport, type ParameterGroup, parameterGroups, type Stage, type StepResult } from "../stage.ts";

const DRAW = { rows: 41, flow: 42 } as const;
/** Photos an identity is made from while the ControlNet learns. */
const INPUTS = 3;

export interface ControlBatch extends FlowDraws {
  rows: number[];
  /** Photos of the same person for each row, where the identity is given in this step. */
  inputs: number[] | undefined;
}

/** What turns photos into conditions; frozen. */
export interface IdentityPart {
  encoder: Encoder;
  decoder: FlowAdapter;
}

export interface ControlStageOptions {
  model: LandmarkControl;
  base: FlowBase;
  /** Tells the base of the person beside the landmarks, in the preset's share of the steps. */
  identity?: IdentityPart;
  people: People;
  preset: FlowPreset;
  seed: number;
  heldOut?: (step: number) => HeldOutReport;
}

/** The ControlNet on landmark pictures, on the frozen base, with and without an identity (section 4.2). */
export class ControlStage implements Stage<ControlBatch> {
  readonly name = "control";
  readonly model: LandmarkControl;
  readonly groups: ParameterGroup[];
  readonly heldOut: ((step: number) => HeldOutReport) | undefined;
  readonly #options: ControlStageOptions;
  readonly #urn: Urn;

  constructor(options: ControlStageOptions) {
    this.#options = options;
    this.#urn = new Urn(options.people);
    this.model = options.model;
    this.heldOut = options.heldOut;
    this.groups = parameterGroups(options.model);
  }

  batch(step: number): ControlBatch {
    const { base, people, preset, seed } = this.#options;
    const { batch, identity } = preset.control;
    const random = new KeyedRandom(seed, step, DRAW.rows);
    const named = random.chance(identity);
    const rows: number[] = [];
    const inputs: number[] = [];
    for (let i = 0; i < batch; i++) {
      const own = people.rowsOf(this.#urn.person(random));
      const [target, ...others] = random
        .choose(own.length, Math.min(own.length, INPUTS + 1))
        .map((image) => own[image]);
      rows.push(target);
      // Whoever has one photo shows itself.
      inputs.push(...atLeast(others.length > 0 ? others : [target], INPUTS));
    }
    const draws = drawFlow(keyedGenerator(seed, step, DRAW.flow), batch, base.tokenShape, { kind: "uniform" });
    return { rows, inputs: named ? inputs : undefined, ...draws };
  }

  part({ rows, inputs, t, noise }: ControlBatch, share: Share): ControlBatch {
    const what = "pictures (flow.control.batch)";
    return {
      rows: partOf(share, rows, what),
      inputs: inputs && partOf(share, inputs, what),
      t: rowsOf(share, t, what),
      noise: rowsOf(share, noise, what),
    };
  }

  describe({ rows }: ControlBatch): string {
    return rows.map((row) => this.#options.people.nameOf(row)).join(" ");
  }

  fetch({ rows, inputs }: ControlBatch): Promise<FetchedPictures> | undefined {
    const { identity, people } = this.#options;
    return people.fetch({ crops: rows, maps: identity && inputs });
  }

  loss(batch: ControlBatch, _step?: number, _share?: Share, pictures: Pictures = this.#options.people): StepResult {
    return { loss: this.#error(batch, batch.rows, pictures).mean(), metrics: {} };
  }

  /** How much worse the loss gets with somebody else's landmarks, over the loss with the right ones. */
  probe(step: number, share: Share = ALONE, pictures: Pictures = this.#options.people): Record<string, number> {
    return noGrad(() => {
      const batch = this.part(this.batch(step), share);
      const [first, ...rest] = batch.rows;
      const error = (landmarksOf: number[]) => meanOf(share, this.#error(batch, landmarksOf, pictures).mean());
      return { gap: error([...rest, first]) / error(batch.rows) - 1 };
    });
  }

  #error({ rows, inputs, t, noise }: ControlBatch, landmarksOf: readonly number[], pictures: Pictures): Tensor {
    const { base, people, preset } = this.#options;
    const x = peopleTokens(base, pictures, rows);
    const lines = landmarkPictures(people.landmarksOf(landmarksOf), preset.imageSize);
    const prompts = base.prompts.encode(rows.map(() => preset.prompt));
    const steering = this.model.steer(lines, this.#identity(rows.length, inputs, pictures));
    return flowError(base.velocity(noised(x, noise, t), t, prompts, steering), x, noise);
  }

  #identity(count: number, inputs: readonly number[] | undefined, pictures: Pictures): Conditions | undefined {
    const { identity } = this.#options;
    if (!inputs || !identity) return undefined;
    return noGrad(() =>
      scope(() => identity.decoder.conditions(encodeRows(identity.encoder, pictures, inputs, count).float())),
    );
  }
}
