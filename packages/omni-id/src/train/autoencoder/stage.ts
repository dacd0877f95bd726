import { KeyedRandom } from "@omni-id/data";
import { noGrad, randn, scope, type Tensor } from "@omni-id/torch";
import type { SmoothedAutoencoder } from "../../backbones/smoothed-autoencoder.ts";
import { keyedGenerator } from "../../people/draws.ts";
import type { People } from "../../people/people.ts";
import type { FetchedPictures, Pictures } from "../../people/picture-source.ts";
import { sample, Urn } from "../../people/sample.ts";
import { saveSheet, toRgb } from "../../pictures/picture.ts";
import { toUnit } from "../../pictures/rgb-batch.ts";
import type { Preset } from "../../presets/schema.ts";
import { figuresLine } from "../figures-line.ts";
import { type HeldOutReport, type ParameterGroup, parameterGroups, type Stage, type StepResult } from "../stage.ts";
import { psnr } from "./psnr.ts";

const DRAW = { rows: 51, noise: 52 } as const;

const SHOWN = 8;

export interface AutoencoderBatch {
  rows: number[];
  /** What is added to the latents, `[B, C, h, w]`. */
  noise: Tensor;
}

export interface AutoencoderStageOptions {
  model: SmoothedAutoencoder;
  people: People;
  validation: People | undefined;
  preset: Preset["autoencoder"];
  /** Side of the pictures, in pixels. */
  imageSize: number;
  seed: number;
}

/**
 * The smoother of latents that are given: pictures from their own latents with a little noise, by L1. The noise is what a
 * flow model's own mistakes are like; faces weigh more than what stands around them.
 */
export class AutoencoderStage implements Stage<AutoencoderBatch> {
  readonly name = "autoencoder";
  readonly model: SmoothedAutoencoder;
  readonly groups: ParameterGroup[];
  readonly heldOut: ((step: number) => HeldOutReport) | undefined;
  readonly #people: People;
  readonly #urn: Urn;
  readonly #preset: Preset["autoencoder"];
  readonly #latentSide: number;
  readonly #seed: number;

  constructor({ model, people, validation, preset, imageSize, seed }: AutoencoderStageOptions) {
    this.model = model;
    this.groups = parameterGroups(model);
    this.#people = people;
    this.#urn = new Urn(people);
    this.#preset = preset;
    this.#latentSide = imageSize / model.factor;
    this.#seed = seed;
    this.heldOut = validation && ((step) => reportOn(model, validation, step));
  }

  batch(step: number): AutoencoderBatch {
    const { batch, noise } = this.#preset;
    const random = new KeyedRandom(this.#seed, step, DRAW.rows);
    const rows = Array.from({ length: batch }, () => this.#urn.row(random));
    const generator = keyedGenerator(this.#seed, step, DRAW.noise);
    const shape = [batch, this.model.latentChannels, this.#latentSide, this.#latentSide];
    return { rows, noise: scope(() => randn(shape, { generator }).mul(noise)) };
  }

  describe({ rows }: AutoencoderBatch): string {
    return rows.map((row) => this.#people.nameOf(row)).join(" ");
  }

  fetch({ rows }: AutoencoderBatch): Promise<FetchedPictures> | undefined {
    return this.#people.fetch({ crops: rows, masks: rows });
  }

  loss(
    { rows, noise }: AutoencoderBatch,
    _step?: number,
    _share?: unknown,
    pictures: Pictures = this.#people,
  ): StepResult {
    const truth = toUnit(pictures.cropsOf(rows));
    const latents = noGrad(() => this.model.encode(truth).add(noise));
    const faces = pictures.masksOf(rows).unsqueeze(1).float();
    const weights = faces.mul(this.#preset.faceWeight - 1).add(1);
    const off = this.model.decode(latents).float().sub(truth).abs();
    return { loss: off.mul(weights).mean().div(weights.mean()), metrics: {} };
  }
}

/** PSNR of the directions alone and smoothed, of all pixels and of those of faces; and a sheet of the three. */
function reportOn(model: SmoothedAutoencoder, validation: People, step: number): HeldOutReport {
  return noGrad(() =>
    scope(() => {
      const rows = sample(validation, 176);
      const truth = toUnit(validation.cropsOf(rows));
      const faces = validation.masksOf(rows).unsqueeze(1).float();
      const latents = model.encode(truth);
      const directions = model.fromDirections(latents);
      const smoothed = model.decode(latents).float();
      const metrics = {
        directions: psnr(directions, truth),
        smoothed: psnr(smoothed, truth),
        directions_faces: psnr(directions, truth, faces),
        smoothed_faces: psnr(smoothed, truth, faces),
      };
      const columns = [truth, directions, smoothed].map((all) => all.narrow(0, 0, SHOWN).unbind(0).map(toRgb));
      const picture = (file: string) =>
        saveSheet(file, {
          title: `step ${step}`,
          columns: ["a scene", "its directions", "smoothed"],
          rows: columns[0].map((_, row) => columns.map((column) => column[row])),
          notes: [figuresLine(metrics)],
          tile: 256,
        });
      return { metrics, picture };
    }),
  );
}
