import { KeyedRandom } from "@omni-id/data";
import { nn, noGrad, scope, type Tensor, tensor } from "@omni-id/torch";
import type { Encoder } from "../../encoder.ts";
import { type FewToManyTask, sampleFewToMany } from "../../few-to-many.ts";
import { type MaskedDecoder, maskedL1, putTokens, takeTokens } from "../../masked-decoder.ts";
import { encodeRows } from "../../people/encode-rows.ts";
import type { People } from "../../people/people.ts";
import type { FetchedPictures, Pictures } from "../../people/picture-source.ts";
import { chooseTokens } from "../../pictures/hidden-tokens.ts";
import { patchify, unpatchify } from "../../pictures/patches.ts";
import { toUnit } from "../../pictures/rgb-batch.ts";
import type { TargetTokens } from "../../pictures/target-tokens.ts";
import { toTargetTokens } from "../../pictures/target-tokens.ts";
import type { MtdPreset } from "../../presets/schema.ts";
import { alterInputs } from "../altered-inputs.ts";
import type { LikenessLoss } from "../likeness.ts";
import { ALONE, meanOf, partOf, placeOf, rowsOf, type Share } from "../share.ts";
import {
  encoderGroups,
  type HeldOutReport,
  type ParameterGroup,
  parameterGroups,
  type Stage,
  type StepResult,
} from "../stage.ts";

/** Purposes of random draws, so that none shares its numbers with another. */
const DRAW = { tasks: 1, tokens: 2, likeness: 3, altered: 4 } as const;

/** The parts that stage one trains, and the keys of its checkpoint. */
export class MtdModel extends nn.Module {
  readonly encoder: Encoder;
  readonly decoder: MaskedDecoder;

  constructor(encoder: Encoder, decoder: MaskedDecoder) {
    super();
    this.encoder = encoder;
    this.decoder = decoder;
  }
}

export interface MtdBatch {
  tasks: FewToManyTask[];
  /** Rows of the targets in {@link People}, identity by identity. */
  targets: number[];
  tokens: TargetTokens;
}

export interface MtdStageOptions {
  model: MtdModel;
  people: People;
  preset: MtdPreset;
  seed: number;
  /** How often an input is an altered copy, of people who have some; see the preset's `alteredInputs`. */
  alteredShare?: number;
  /** Needed when the preset weighs likeness. */
  likeness?: LikenessLoss;
  heldOut?: (step: number) => HeldOutReport;
}

/** Stage one: the encoder and the masked transformer decoder, few-to-many (sections 3.2 and 3.3). */
export class MtdStage implements Stage<MtdBatch> {
  readonly name = "mtd";
  readonly model: MtdModel;
  readonly groups: ParameterGroup[];
  readonly heldOut: ((step: number) => HeldOutReport) | undefined;
  readonly #people: People;
  readonly #preset: MtdPreset;
  readonly #seed: number;
  readonly #alteredShare: number;
  readonly #likeness: LikenessLoss | undefined;
  /** For each target token of a row: 1 where the token touches the face. */
  readonly #face: (row: number) => Uint8Array;

  constructor({ model, people, preset, seed, alteredShare = 0, likeness, heldOut }: MtdStageOptions) {
    if ((preset.loss.likeness > 0 || preset.loss.perceptual > 0) && !likeness) {
      throw new Error("the preset weighs likeness, but no recogniser was given to measure it");
    }
    this.model = model;
    this.heldOut = heldOut;
    this.#people = people;
    this.#preset = preset;
    this.#seed = seed;
    this.#alteredShare = alteredShare;
    this.#likeness = likeness;
    this.#face = people.faceTokens(preset.decoder.patchSize);
    const { encoder, decoder } = model;
    this.groups = [...parameterGroups(decoder), ...(preset.encoderRate > 0 ? encoderGroups(encoder, preset) : [])];
  }

  batch(step: number): MtdBatch {
    const people = this.#people;
    const drawn = sampleFewToMany(new KeyedRandom(this.#seed, step, DRAW.tasks), {
      ...this.#preset,
      counts: people.counts,
      altered: people.altered,
      shares: people.shares,
    });
    const random = new KeyedRandom(this.#seed, step, DRAW.altered);
    const tasks = alterInputs(drawn, people, { share: this.#alteredShare, random });
    const targets = tasks.flatMap((task) => task.targets.map((image) => people.row(task.person, image)));
    return { tasks, targets, tokens: this.#chooseTokens(targets, new KeyedRandom(this.#seed, step, DRAW.tokens)) };
  }

  part({ tasks, targets, tokens }: MtdBatch, share: Share): MtdBatch {
    const what = "people (mtd.batch)";
    return {
      tasks: partOf(share, tasks, what),
      targets: partOf(share, targets, what),
      tokens: { index: rowsOf(share, tokens.index, what), visible: rowsOf(share, tokens.visible, what) },
    };
  }

  describe({ tasks }: MtdBatch): string {
    const people = this.#people;
    return tasks
      .map(({ person, inputs }) => inputs.map((image) => people.nameOf(people.row(person, image))).join(" "))
      .join(", ");
  }

  fetch({ tasks, targets }: MtdBatch): Promise<FetchedPictures> | undefined {
    return this.#people.fetch({ maps: this.#inputs(tasks), crops: targets, masks: targets });
  }

  loss(batch: MtdBatch, step: number, share: Share = ALONE, pictures: Pictures = this.#people): StepResult {
    const { loss: weights } = this.#preset;
    const identity = this.#encode(batch.tasks, pictures);
    const { decoded, target, mask } = this.#decode(batch, identity, pictures);
    const l1 = this.#l1(decoded, target, mask, share);
    const metrics: Record<string, number> = { l1: l1.item() / 2 };
    let loss = l1;

    if (this.#likeness && this.#weighsLikeness(step)) {
      const { cosine, perceptual } = this.#compare(this.#likeness, batch, decoded, { step, share, pictures });
      loss = loss.add(cosine.mul(weights.likeness)).add(perceptual.mul(weights.perceptual));
      metrics.likeness = 1 - cosine.item();
      metrics.perceptual = perceptual.item();
    }
    return { loss, metrics };
  }

  totals(batch: MtdBatch, step: number, share: Share, pictures: Pictures = this.#people): Tensor[] {
    return noGrad(() => {
      const { masks } = this.#targetPatches(batch.targets, pictures);
      const size = takeTokens(masks, batch.tokens.index).repeat([1, 1, 3]).sum();
      if (!this.#likeness || !this.#weighsLikeness(step)) return [size];
      const { faces, points } = this.#facesOf(batch, { step, share, pictures });
      return [size, this.#likeness.size(faces, points)];
    });
  }

  /**
   * The identity gap: how much worse the loss gets with another person's identity, over the loss with the right one.
   * It is the number to steer by: L1 falls for many reasons, the gap opens only when ℓ is used.
   */
  probe(step: number, share: Share = ALONE, pictures: Pictures = this.#people): Record<string, number> {
    return noGrad(() => {
      const batch = this.part(this.batch(step), share);
      const right = this.#encode(batch.tasks, pictures);
      const l1 = (identity: Tensor) => {
        const { decoded, target, mask } = this.#decode(batch, identity, pictures);
        return meanOf(share, this.#l1(decoded, target, mask, share));
      };
      return { gap: l1(right.roll([1], [0])) / l1(right) - 1 };
    });
  }

  /** Equation 4 on a share, over the size of all shares' masks: the mean over the processes is the whole batch's L1. */
  #l1(decoded: Tensor, target: Tensor, mask: Tensor, share: Share): Tensor {
    return scope(() => {
      const l1 = maskedL1(decoded, target, mask, share.total(mask.sum()));
      return share.count === 1 ? l1 : l1.mul(share.count);
    });
  }

  #inputs(tasks: readonly FewToManyTask[]): number[] {
    return tasks.flatMap(({ person, inputs }) => inputs.map((image) => this.#people.row(person, image)));
  }

  #encode(tasks: readonly FewToManyTask[], pictures: Pictures): Tensor {
    return encodeRows(this.model.encoder, pictures, this.#inputs(tasks), tasks.length);
  }

  #chooseTokens(targets: readonly number[], random: KeyedRandom): TargetTokens {
    const { maskRatio, tokens: count } = this.#preset;
    const chosen = targets.map((row) => chooseTokens(random, this.#face(row), { maskRatio, count }));
    return toTargetTokens(chosen);
  }

  /** Decodes a batch's targets: all `[targets, K, 3·p·p]`. */
  #decode(
    { targets, tokens }: MtdBatch,
    identity: Tensor,
    pictures: Pictures,
  ): { decoded: Tensor; target: Tensor; mask: Tensor } {
    const { pixels, masks } = this.#targetPatches(targets, pictures);
    const target = takeTokens(pixels, tokens.index);
    const perTarget = identity.repeatInterleave(this.#preset.targets, 0);
    const decoded = this.model.decoder.forward(target, tokens, perTarget);
    return { decoded, target, mask: takeTokens(masks, tokens.index).repeat([1, 1, 3]) };
  }

  #targetPatches(rows: readonly number[], pictures: Pictures): { pixels: Tensor; masks: Tensor } {
    const { patchSize } = this.#preset.decoder;
    const pixels = patchify(toUnit(pictures.cropsOf(rows)), patchSize);
    const masks = patchify(pictures.masksOf(rows).unsqueeze(1).float(), patchSize);
    return { pixels, masks };
  }

  /** Likeness of some of the reconstructions. Tokens that were not decoded keep the target's pixels. */
  #compare(
    likeness: LikenessLoss,
    batch: MtdBatch,
    decoded: Tensor,
    { step, share, pictures }: { step: number; share: Share; pictures: Pictures },
  ) {
    const { patchSize } = this.#preset.decoder;
    const { some, pixels, mask, faces, points, inAll } = this.#facesOf(batch, { step, share, pictures });
    const places = tensor(some, { dtype: "int64" });
    const index = batch.tokens.index.indexSelect(0, places);
    const made = putTokens(decoded.indexSelect(0, places), index, pixels.shape[1], pixels);
    return likeness.compare(unpatchify(made, patchSize).mul(mask), faces, points, { share, faces: inAll });
  }

  #weighsLikeness(step: number): boolean {
    return step > this.#preset.loss.from * this.#preset.optimisation.steps;
  }

  /** The targets of a share whose likeness is weighed, grey outside the face, and how many these are in the whole batch. */
  #facesOf(batch: MtdBatch, { step, share, pictures }: { step: number; share: Share; pictures: Pictures }) {
    const { patchSize } = this.#preset.decoder;
    const all = batch.targets.length * share.count;
    const inAll = Math.min(this.#preset.loss.likenessBatch, all);
    const { start, length } = placeOf(share, all, "targets");
    const some = new KeyedRandom(this.#seed, step, DRAW.likeness)
      .choose(all, inAll)
      .flatMap((place) => (place >= start && place < start + length ? [place - start] : []));
    const rows = some.map((place) => batch.targets[place]);
    const { pixels, masks } = this.#targetPatches(rows, pictures);
    const mask = unpatchify(masks, patchSize);
    const faces = unpatchify(pixels, patchSize).mul(mask);
    return { some, pixels, mask, faces, points: this.#people.pointsOf(rows), inAll };
  }
}
