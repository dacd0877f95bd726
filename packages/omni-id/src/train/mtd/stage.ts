import { KeyedRandom } from "@omni-id/data";
import { nn, noGrad, scope, type Tensor, tensor } from "@omni-id/torch";
import type { Encoder } from "../../encoder.ts";
import { type FewToManyTask, sampleFewToMany } from "../../few-to-many.ts";
import { type MaskedDecoder, maskedL1, putTokens, takeTokens } from "../../masked-decoder.ts";
import { encodeRows } from "../../people/encode-rows.ts";
import type { People } from "../../people/people.ts";
import { chooseTokens } from "../../pictures/hidden-tokens.ts";
import { patchify, unpatchify } from "../../pictures/patches.ts";
import { toUnit } from "../../pictures/rgb-batch.ts";
import type { TargetTokens } from "../../pictures/target-tokens.ts";
import { faceTokens, toTargetTokens } from "../../pictures/target-tokens.ts";
import type { MtdPreset } from "../../presets/schema.ts";
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
const DRAW = { tasks: 1, tokens: 2, likeness: 3 } as const;

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
  readonly #likeness: LikenessLoss | undefined;
  /** For each row and target token: 1 where the token touches the face. */
  readonly #face: Uint8Array;
  readonly #tokensPerImage: number;

  constructor({ model, people, preset, seed, likeness, heldOut }: MtdStageOptions) {
    if ((preset.loss.likeness > 0 || preset.loss.perceptual > 0) && !likeness) {
      throw new Error("the preset weighs likeness, but no recogniser was given to measure it");
    }
    this.model = model;
    this.heldOut = heldOut;
    this.#people = people;
    this.#preset = preset;
    this.#seed = seed;
    this.#likeness = likeness;
    this.#face = faceTokens(people.masks, preset.decoder.patchSize);
    this.#tokensPerImage = this.#face.length / people.masks.shape[0];
    const { encoder, decoder } = model;
    this.groups = [...parameterGroups(decoder), ...(preset.encoderRate > 0 ? encoderGroups(encoder, preset) : [])];
  }

  batch(step: number): MtdBatch {
    const people = this.#people;
    const tasks = sampleFewToMany(new KeyedRandom(this.#seed, step, DRAW.tasks), {
      ...this.#preset,
      counts: people.counts,
      altered: people.altered,
      shares: people.shares,
    });
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

  loss(batch: MtdBatch, step: number, share: Share = ALONE): StepResult {
    const { loss: weights, optimisation } = this.#preset;
    const identity = this.#encode(batch.tasks);
    const { decoded, target, mask } = this.#decode(batch, identity);
    const l1 = this.#l1(decoded, target, mask, share);
    const metrics: Record<string, number> = { l1: l1.item() / 2 };
    let loss = l1;

    if (this.#likeness && step > weights.from * optimisation.steps) {
      const { cosine, perceptual } = this.#compare(this.#likeness, batch, decoded, { step, share });
      loss = loss.add(cosine.mul(weights.likeness)).add(perceptual.mul(weights.perceptual));
      metrics.likeness = 1 - cosine.item();
      metrics.perceptual = perceptual.item();
    }
    return { loss, metrics };
  }

  /**
   * The identity gap: how much worse the loss gets with another person's identity, over the loss with the right one.
   * It is the number to steer by: L1 falls for many reasons, the gap opens only when ℓ is used.
   */
  probe(step: number, share: Share = ALONE): Record<string, number> {
    return noGrad(() => {
      const batch = this.part(this.batch(step), share);
      const right = this.#encode(batch.tasks);
      const l1 = (identity: Tensor) => {
        const { decoded, target, mask } = this.#decode(batch, identity);
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

  #encode(tasks: readonly FewToManyTask[]): Tensor {
    const people = this.#people;
    const rows = tasks.flatMap(({ person, inputs }) => inputs.map((image) => people.row(person, image)));
    return encodeRows(this.model.encoder, people, rows, tasks.length);
  }

  #chooseTokens(targets: readonly number[], random: KeyedRandom): TargetTokens {
    const { maskRatio, tokens: count } = this.#preset;
    const all = this.#tokensPerImage;
    const chosen = targets.map((row) =>
      chooseTokens(random, this.#face.subarray(row * all, (row + 1) * all), { maskRatio, count }),
    );
    return toTargetTokens(chosen);
  }

  /** Decodes a batch's targets: all `[targets, K, 3·p·p]`. */
  #decode({ targets, tokens }: MtdBatch, identity: Tensor): { decoded: Tensor; target: Tensor; mask: Tensor } {
    const { patchSize } = this.#preset.decoder;
    const { pixels, masks } = this.#targetPatches(targets, patchSize);
    const target = takeTokens(pixels, tokens.index);
    const perTarget = identity.repeatInterleave(this.#preset.targets, 0);
    const decoded = this.model.decoder.forward(target, tokens, perTarget);
    return { decoded, target, mask: takeTokens(masks, tokens.index).repeat([1, 1, 3]) };
  }

  #targetPatches(rows: readonly number[], patchSize: number): { pixels: Tensor; masks: Tensor } {
    const index = tensor(rows, { dtype: "int64" });
    const pixels = patchify(toUnit(this.#people.crops.indexSelect(0, index)), patchSize);
    const masks = patchify(this.#people.masks.indexSelect(0, index).unsqueeze(1).float(), patchSize);
    return { pixels, masks };
  }

  /** Likeness of some of the reconstructions. Tokens that were not decoded keep the target's pixels. */
  #compare(likeness: LikenessLoss, batch: MtdBatch, decoded: Tensor, { step, share }: { step: number; share: Share }) {
    const { patchSize } = this.#preset.decoder;
    const all = batch.targets.length * share.count;
    const faces = Math.min(this.#preset.loss.likenessBatch, all);
    const { start, length } = placeOf(share, all, "targets");
    const some = new KeyedRandom(this.#seed, step, DRAW.likeness)
      .choose(all, faces)
      .flatMap((place) => (place >= start && place < start + length ? [place - start] : []));
    const rows = some.map((place) => batch.targets[place]);
    const places = tensor(some, { dtype: "int64" });
    const { pixels, masks } = this.#targetPatches(rows, patchSize);
    const index = batch.tokens.index.indexSelect(0, places);
    const made = putTokens(decoded.indexSelect(0, places), index, pixels.shape[1], pixels);
    const mask = unpatchify(masks, patchSize);
    const points = this.#people.points.indexSelect(0, tensor(rows, { dtype: "int64" }));
    return likeness.compare(unpatchify(made, patchSize).mul(mask), unpatchify(pixels, patchSize).mul(mask), points, {
      share,
      faces,
    });
  }
}
