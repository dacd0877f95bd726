import { KeyedRandom } from "@omni-id/data";
import { scope, type Tensor } from "@omni-id/torch";
import { asClipSees } from "../../backbones/clip.ts";
import { contrastiveLoss } from "../../backbones/clip-model.ts";
import { zeroShot } from "../../evaluate/zero-shot.ts";
import type { People } from "../../people/people.ts";
import type { FetchedPictures, Pictures } from "../../people/picture-source.ts";
import { wordsOf } from "../../people/words-of.ts";
import { toUnit } from "../../pictures/rgb-batch.ts";
import type { Preset } from "../../presets/schema.ts";
import { type ClipWithWords, clipIds } from "../../weights/clip.ts";
import { type HeldOutReport, type ParameterGroup, parameterGroups, type Stage, type StepResult } from "../stage.ts";

const DRAW = 41;

export interface ClipBatch {
  /** A photo each of different people. */
  rows: number[];
  /** One of the wordings of each. */
  captions: string[];
}

export interface ClipStageOptions extends ClipWithWords {
  /** People with the photos that the image tower sees, and captions. */
  people: People;
  validation: People | undefined;
  /** What is looked at: faces, or whole scenes. */
  pictures: Preset["flow"]["pictures"];
  batch: number;
  seed: number;
}

/**
 * Contrastive language–image pretraining (Radford et al. 2021): of the photos of a step, each of another person, every one
 * finds its own caption among all, and every caption its photo.
 */
export class ClipStage implements Stage<ClipBatch> {
  readonly name = "clip";
  readonly model: ClipWithWords["model"];
  readonly groups: ParameterGroup[];
  readonly heldOut: ((step: number) => HeldOutReport) | undefined;
  readonly #clip: ClipWithWords;
  readonly #people: People;
  readonly #pictures: ClipStageOptions["pictures"];
  readonly #batch: number;
  readonly #seed: number;

  constructor({ model, vocabulary, people, validation, pictures, batch, seed }: ClipStageOptions) {
    this.model = model;
    this.groups = parameterGroups(model);
    this.#clip = { model, vocabulary };
    this.#people = people;
    this.#pictures = pictures;
    this.#batch = Math.min(batch, people.ids.length);
    this.#seed = seed;
    this.heldOut =
      validation && (() => ({ metrics: zeroShot(this.#clip, validation, (rows) => this.#see(validation, rows)) }));
  }

  batch(step: number): ClipBatch {
    const random = new KeyedRandom(this.#seed, step, DRAW);
    const persons = random.choose(this.#people.ids.length, this.#batch);
    const rows = persons.map((person) => this.#people.row(person, random.below(this.#people.counts[person])));
    return { rows, captions: rows.map((row) => wordsOf(this.#people, row, random)) };
  }

  describe({ rows }: ClipBatch): string {
    return rows.map((row) => this.#people.nameOf(row)).join(" ");
  }

  fetch({ rows }: ClipBatch): Promise<FetchedPictures> | undefined {
    return this.#people.fetch(this.#pictures === "scenes" ? { crops: rows } : { maps: rows });
  }

  /** What the backbone sees of a face, or a scene as a whole. */
  #see(from: Pictures, rows: readonly number[]): Tensor {
    return this.#pictures === "scenes" ? toUnit(from.cropsOf(rows)) : from.maps(rows);
  }

  loss({ rows, captions }: ClipBatch, _step?: number, _share?: unknown, pictures: Pictures = this.#people): StepResult {
    const images = this.model.images(asClipSees(this.#see(pictures, rows)));
    const texts = this.model.texts(clipIds(this.#clip, captions));
    const logits = this.model.logits(images, texts);
    const first = scope(() => logits.argmax(1).tolist() as number[]).filter((column, row) => column === row).length;
    return { loss: contrastiveLoss(logits.float()), metrics: { first: first / rows.length } };
  }
}
