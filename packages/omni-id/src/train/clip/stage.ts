import { KeyedRandom } from "@omni-id/data";
import { scope } from "@omni-id/torch";
import { asClipSees } from "../../backbones/clip.ts";
import { contrastiveLoss } from "../../backbones/clip-model.ts";
import type { People } from "../../people/people.ts";
import type { FetchedPictures, Pictures } from "../../people/picture-source.ts";
import { type ClipWithWords, clipIds } from "../../weights/clip.ts";
import { type HeldOutReport, type ParameterGroup, parameterGroups, type Stage, type StepResult } from "../stage.ts";
import { zeroShot } from "./zero-shot.ts";

const DRAW = 41;

export interface ClipBatch {
  /** A photo each of different people. */
  rows: number[];
}

export interface ClipStageOptions extends ClipWithWords {
  /** People with the photos that the image tower sees, and captions. */
  people: People;
  validation: People | undefined;
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
  readonly #batch: number;
  readonly #seed: number;

  constructor({ model, vocabulary, people, validation, batch, seed }: ClipStageOptions) {
    this.model = model;
    this.groups = parameterGroups(model);
    this.#clip = { model, vocabulary };
    this.#people = people;
    this.#batch = Math.min(batch, people.ids.length);
    this.#seed = seed;
    this.heldOut = validation && (() => ({ metrics: zeroShot(this.#clip, validation) }));
  }

  batch(step: number): ClipBatch {
    const random = new KeyedRandom(this.#seed, step, DRAW);
    const persons = random.choose(this.#people.ids.length, this.#batch);
    return { rows: persons.map((person) => this.#people.row(person, random.below(this.#people.counts[person]))) };
  }

  describe({ rows }: ClipBatch): string {
    return rows.map((row) => this.#people.nameOf(row)).join(" ");
  }

  fetch({ rows }: ClipBatch): Promise<FetchedPictures> | undefined {
    return this.#people.fetch({ maps: rows });
  }

  loss({ rows }: ClipBatch, _step?: number, _share?: unknown, pictures: Pictures = this.#people): StepResult {
    const images = this.model.images(asClipSees(pictures.maps(rows)));
    const texts = this.model.texts(
      clipIds(
        this.#clip,
        rows.map((row) => this.#people.captions[row]),
      ),
    );
    const logits = this.model.logits(images, texts);
    const first = scope(() => logits.argmax(1).tolist() as number[]).filter((column, row) => column === row).length;
    return { loss: contrastiveLoss(logits.float()), metrics: { first: first / rows.length } };
  }
}
