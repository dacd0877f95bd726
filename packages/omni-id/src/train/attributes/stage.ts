import { KeyedRandom, SCENE_GROUPS } from "@omni-id/data";
import { F, scope, type Tensor, tensor, where } from "@omni-id/torch";
import type { AttributeNetwork } from "../../backbones/attribute-network.ts";
import { accuracyOf, labelsOf } from "../../evaluate/personalise/labels.ts";
import type { People } from "../../people/people.ts";
import type { FetchedPictures, Pictures } from "../../people/picture-source.ts";
import { Urn } from "../../people/sample.ts";
import { toUnit } from "../../pictures/rgb-batch.ts";
import { type HeldOutReport, type ParameterGroup, parameterGroups, type Stage, type StepResult } from "../stage.ts";

const DRAW = 31;

export interface AttributeBatch {
  rows: number[];
  /** Which of them are turned left for right: no word tells of it. */
  turned: boolean[];
}

export interface AttributeStageOptions {
  model: AttributeNetwork;
  /** Whole scenes with their captions. */
  people: People;
  validation: People | undefined;
  batch: number;
  seed: number;
}

/** A picture's words from the picture, by cross-entropy; pictures as they are or in the mirror. */
export class AttributeStage implements Stage<AttributeBatch> {
  readonly name = "attributes";
  readonly model: AttributeNetwork;
  readonly groups: ParameterGroup[];
  readonly heldOut: ((step: number) => HeldOutReport) | undefined;
  readonly #people: People;
  readonly #urn: Urn;
  readonly #batch: number;
  readonly #seed: number;

  constructor({ model, people, validation, batch, seed }: AttributeStageOptions) {
    this.model = model;
    this.groups = parameterGroups(model);
    this.#people = people;
    this.#urn = new Urn(people);
    this.#batch = batch;
    this.#seed = seed;
    this.heldOut = validation && (() => ({ metrics: accuracyOf(model, validation) }));
  }

  batch(step: number): AttributeBatch {
    const random = new KeyedRandom(this.#seed, step, DRAW);
    const rows = Array.from({ length: this.#batch }, () => this.#urn.row(random));
    return { rows, turned: rows.map(() => random.chance(0.5)) };
  }

  describe({ rows }: AttributeBatch): string {
    return rows.map((row) => this.#people.nameOf(row)).join(" ");
  }

  fetch({ rows }: AttributeBatch): Promise<FetchedPictures> | undefined {
    return this.#people.fetch({ crops: rows });
  }

  loss(
    { rows, turned }: AttributeBatch,
    _step?: number,
    _share?: unknown,
    pictures: Pictures = this.#people,
  ): StepResult {
    const crops = toUnit(pictures.cropsOf(rows));
    const mirror = tensor(turned).view([-1, 1, 1]);
    const x = where(mirror.unsqueeze(3), crops.flip([3]), crops);
    const points = this.#people.pointsOf(rows);
    const scores = this.model.scores(
      this.model.features(x, where(mirror, inTheMirror(points, crops.shape[3]), points)),
    );
    const labels = labelsOf(this.#people, rows);
    // The mean over no picture at all would be no number: a group that no caption tells of is left out.
    const losses = SCENE_GROUPS.flatMap((group) =>
      scope(() => labels[group].ge(0).any().item()) ? [F.crossEntropy(scores[group].float(), labels[group])] : [],
    );
    return { loss: losses.reduce((sum, one) => sum.add(one)).div(losses.length), metrics: {} };
  }
}

/** Left eye and right eye, nose, left and right corner of the mouth `[B, 5, 2]`, as the mirror shows them. */
function inTheMirror(points: Tensor, side: number): Tensor {
  const swapped = points.indexSelect(1, tensor([1, 0, 2, 4, 3], { dtype: "int64" }));
  return swapped.mul(tensor([-1, 1])).add(tensor([side, 0]));
}
