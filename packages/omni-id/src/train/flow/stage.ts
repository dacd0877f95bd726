import { KeyedRandom } from "@omni-id/data";
import { nn, noGrad, scope, type Tensor, tensor, zeros } from "@omni-id/torch";
import type { LandmarkControl } from "../../adapters/landmark-control.ts";
import { type FewToManyTask, sampleFewToMany } from "../../few-to-many.ts";
import { type Conditions, type FlowBase, flowError, noised } from "../../flow-base.ts";
import type { FlowAdapter } from "../../flow-decoder.ts";
import { drawFlow, type FlowDraws, keyedGenerator } from "../../people/draws.ts";
import { encodeRows } from "../../people/encode-rows.ts";
import type { People } from "../../people/people.ts";
import type { FetchedPictures, Pictures } from "../../people/picture-source.ts";
import { wordsOf } from "../../people/words-of.ts";
import { landmarkPictures } from "../../pictures/landmark-pictures.ts";
import type { FlowPreset } from "../../presets/schema.ts";
import type { Representation } from "../../representations/representation.ts";
import { alterInputs } from "../altered-inputs.ts";
import { type FaceWeights, faceWeights } from "../face-weights.ts";
import type { LikenessLoss } from "../likeness.ts";
import { peopleLayout } from "../people-layout.ts";
import { peopleTokens } from "../people-tokens.ts";
import { ALONE, meanOf, partOf, placeOf, rowsOf, type Share } from "../share.ts";
import {
  encoderGroups,
  type HeldOutReport,
  type ParameterGroup,
  parameterGroups,
  type Stage,
  type StepResult,
  setTrainable,
} from "../stage.ts";

const DRAW = { tasks: 21, flow: 22, likeness: 23, words: 25, altered: 26, told: 27 } as const;

/** The parts that stage two trains, and the keys of its checkpoint. A base that stays frozen is outside. */
export class FlowModel extends nn.Module {
  readonly encoder: Representation;
  readonly decoder: FlowAdapter;
  /** Learns along where the preset gives landmarks too (section 4.2). */
  readonly control: LandmarkControl | undefined;
  /** Where the base learns along. */
  readonly base: FlowBase | undefined;

  constructor(
    encoder: Representation,
    decoder: FlowAdapter,
    { control, base }: { control?: LandmarkControl | undefined; base?: FlowBase | undefined } = {},
  ) {
    super();
    this.encoder = encoder;
    this.decoder = decoder;
    this.control = control;
    this.base = base;
  }
}

export interface FlowBatch extends FlowDraws {
  tasks: FewToManyTask[];
  /** Rows of the targets, identity by identity. */
  targets: number[];
  /** What is said of each target. */
  prompts: string[];
  /** Whether each target is told whom to draw; all are when absent. */
  told: boolean[] | undefined;
  /** Places among the targets whose likeness is weighed, and how many these are in the whole batch. */
  seen: number[];
  seenInAll: number;
}

export interface FlowStageOptions {
  model: FlowModel;
  base: FlowBase;
  people: People;
  /**
   * The same people, in the same order, by other photos: those that identities are made from where `people` hold what is
   * drawn (section 4.3). All at hand; `people` themselves when absent.
   */
  photos?: People;
  preset: FlowPreset;
  seed: number;
  /** How often an input is an altered copy, of people who have some; see the preset's `alteredInputs`. */
  alteredShare?: number;
  /** Needed when the preset weighs likeness. */
  likeness?: LikenessLoss;
  /** Rate of the encoder's backbone as a share of the encoder's; 0, the default, keeps it frozen. */
  backboneRate?: number;
  heldOut?: (step: number) => HeldOutReport;
}

/**
 * Stage two: the identity drives a flow model, few-to-many, the encoder trained along (section 3.3). The flow model is frozen,
 * unless a preset lets it learn along.
 */
export class FlowStage implements Stage<FlowBatch> {
  readonly name = "flow";
  readonly model: FlowModel;
  readonly groups: ParameterGroup[];
  readonly heldOut: ((step: number) => HeldOutReport) | undefined;
  readonly #base: FlowBase;
  readonly #people: People;
  /** Whom identities are made of, where it is not by the pictures that are drawn. */
  readonly #photos: People | undefined;
  readonly #preset: FlowPreset;
  readonly #seed: number;
  readonly #alteredShare: number;
  readonly #likeness: LikenessLoss | undefined;
  readonly #faces: FaceWeights | undefined;

  constructor({
    model,
    base,
    people,
    photos,
    preset,
    seed,
    alteredShare = 0,
    likeness,
    backboneRate = 0,
    heldOut,
  }: FlowStageOptions) {
    if (preset.adapter.likeness > 0 && !likeness) {
      throw new Error("the preset weighs likeness, but no recogniser was given to measure it");
    }
    this.model = model;
    this.heldOut = heldOut;
    this.#base = base;
    this.#people = people;
    this.#photos = photos;
    this.#preset = preset;
    this.#seed = seed;
    this.#alteredShare = alteredShare;
    this.#likeness = likeness;
    this.#faces = faceWeights(people, { patchSize: base.patchSize, weight: preset.adapter.faceWeight });
    if (photos || preset.adapter.captions > 0) base.prompts.captions = true;
    const rates = { encoderRate: preset.adapter.encoderRate, backboneRate };
    setTrainable(model.encoder, rates);
    const control = model.control ? parameterGroups(model.control) : [];
    const learning = model.base ? parameterGroups(model.base, preset.adapter.baseRate) : [];
    this.groups = [...parameterGroups(model.decoder), ...control, ...learning, ...encoderGroups(model.encoder, rates)];
  }

  batch(step: number): FlowBatch {
    const { adapter } = this.#preset;
    const [people, photos] = [this.#people, this.#photos];
    const drawn = sampleFewToMany(new KeyedRandom(this.#seed, step, DRAW.tasks), {
      ...adapter,
      counts: (photos ?? people).counts,
      altered: people.altered,
      shares: people.shares,
      targetCounts: photos && people.counts,
    });
    const random = new KeyedRandom(this.#seed, step, DRAW.altered);
    const tasks = alterInputs(drawn, photos ?? people, { share: this.#alteredShare, random });
    const targets = tasks.flatMap(({ person, targets }) => targets.map((image) => people.row(person, image)));
    const generator = keyedGenerator(this.#seed, step, DRAW.flow);
    const draws = drawFlow(generator, targets.length, this.#base.tokenShape, adapter.times);
    const told = this.#toldOf(targets, step);
    const seen = this.#likeness && adapter.likeness > 0 ? this.#likenessRows(draws.t, told, step) : [];
    const prompts = this.#promptsOf(targets, step);
    return { tasks, targets, prompts, told, seen, seenInAll: seen.length, ...draws };
  }

  /** Who is told whom to draw. */
  #toldOf(targets: readonly number[], step: number): boolean[] | undefined {
    const { told } = this.#preset.adapter;
    if (told === 1) return undefined;
    const random = new KeyedRandom(this.#seed, step, DRAW.told);
    return targets.map(() => random.chance(told));
  }

  /** Their own words for a share of the targets, the preset's prompt for the rest. */
  #promptsOf(targets: readonly number[], step: number): string[] {
    const { prompt, adapter } = this.#preset;
    if (adapter.captions === 0) return targets.map(() => prompt);
    const random = new KeyedRandom(this.#seed, step, DRAW.words);
    return targets.map((row) => (random.chance(adapter.captions) && wordsOf(this.#people, row, random)) || prompt);
  }

  part({ tasks, targets, prompts, told, seen, seenInAll, t, noise }: FlowBatch, share: Share): FlowBatch {
    const what = "people (flow.adapter.batch)";
    const { start, length } = placeOf(share, targets.length, what);
    return {
      tasks: partOf(share, tasks, what),
      targets: partOf(share, targets, what),
      prompts: partOf(share, prompts, what),
      told: told && partOf(share, told, what),
      seen: seen.flatMap((place) => (place >= start && place < start + length ? [place - start] : [])),
      seenInAll,
      t: rowsOf(share, t, what),
      noise: rowsOf(share, noise, what),
    };
  }

  describe({ tasks }: FlowBatch): string {
    const people = this.#photos ?? this.#people;
    return tasks
      .map(({ person, inputs }) => inputs.map((image) => people.nameOf(people.row(person, image))).join(" "))
      .join(", ");
  }

  fetch({ tasks, targets }: FlowBatch): Promise<FetchedPictures> | undefined {
    return this.#people.fetch({ maps: this.#photos ? [] : this.#inputs(tasks), crops: targets });
  }

  loss(batch: FlowBatch, _step: number, share: Share = ALONE, pictures: Pictures = this.#people): StepResult {
    const { adapter } = this.#preset;
    const x = peopleTokens(this.#base, pictures, batch.targets);
    const xt = noised(x, batch.noise, batch.t);
    const velocity = this.#velocity(xt, batch, this.#conditions(this.#encode(batch, pictures), batch.told));
    const flow = flowError(velocity, x, batch.noise, this.#faces?.of(batch.targets)).mean();
    if (!this.#likeness || adapter.likeness === 0) return { loss: flow, metrics: {} };

    if (batch.seenInAll === 0) return { loss: flow, metrics: { flow: flow.item() } };
    const unlike = this.#unlikeness(this.#likeness, { xt, velocity, batch, share });
    const metrics = { flow: flow.item(), likeness: 1 - unlike.item() };
    return { loss: flow.add(unlike.mul(adapter.likeness)), metrics };
  }

  /**
   * How much worse the flow loss gets with another person's identity, and with none (the bare base), over the loss
   * with the right one: what proves that ℓ is used.
   */
  probe(step: number, share: Share = ALONE, pictures: Pictures = this.#people): Record<string, number> {
    return noGrad(() => {
      const batch = this.part(this.batch(step), share);
      const x = peopleTokens(this.#base, pictures, batch.targets);
      const xt = noised(x, batch.noise, batch.t);
      const error = (conditions: Conditions | undefined) =>
        meanOf(share, flowError(this.#velocity(xt, batch, conditions), x, batch.noise).mean());
      const identities = this.#encode(batch, pictures);
      const right = error(this.#conditions(identities));
      const other = error(this.#conditions(identities.roll([1], [0])));
      return { gap: other / right - 1, gap_none: error(undefined) / right - 1 };
    });
  }

  #inputs(tasks: readonly FewToManyTask[]): number[] {
    const people = this.#photos ?? this.#people;
    return tasks.flatMap(({ person, inputs }) => inputs.map((image) => people.row(person, image)));
  }

  #encode({ tasks }: FlowBatch, pictures: Pictures): Tensor {
    return encodeRows(this.model.encoder, this.#photos ?? pictures, this.#inputs(tasks), tasks.length).float();
  }

  /** @param told whether each target is told; all are when absent */
  #conditions(identities: Tensor, told?: readonly boolean[]): Conditions {
    const each = identities.repeatInterleave(this.#preset.adapter.targets, 0);
    return this.model.decoder.conditions(each, told && tensor(told.map(Number), { dtype: "float32" }));
  }

  #velocity(xt: Tensor, { targets, prompts, t }: FlowBatch, conditions: Conditions | undefined): Tensor {
    const told = this.#base.prompts.encode(prompts);
    const { control } = this.model;
    const layout = peopleLayout(this.#base, this.#people, targets);
    if (!control) return this.#base.velocity(xt, t, told, conditions, layout);
    const lines = landmarkPictures(this.#people.landmarksOf(targets), this.#preset.imageSize);
    return this.#base.velocity(xt, t, told, control.steer(lines, conditions), layout);
  }

  /** Places in the batch where the time is low enough for a face to be seen, and it is said whose. */
  #likenessRows(t: Tensor, told: readonly boolean[] | undefined, step: number): number[] {
    const { likenessAbove, likenessBelow, likenessBatch } = this.#preset.adapter;
    const low = (t.tolist() as number[]).flatMap((time, place) =>
      time < likenessBelow && time >= likenessAbove && (told?.[place] ?? true) ? [place] : [],
    );
    const random = new KeyedRandom(this.#seed, step, DRAW.likeness);
    return random.choose(low.length, Math.min(likenessBatch, low.length)).map((i) => low[i]);
  }

  /** 1 − cosine between the target and the picture that the model sees in x_t, x_t − t v. */
  #unlikeness(
    likeness: LikenessLoss,
    { xt, velocity, batch, share }: { xt: Tensor; velocity: Tensor; batch: FlowBatch; share: Share },
  ): Tensor {
    return scope(() => {
      const { seen, seenInAll: faces } = batch;
      if (seen.length === 0) return zeros([]);
      const places = tensor(seen, { dtype: "int64" });
      const pick = (all: Tensor) => all.indexSelect(0, places);
      const predicted = pick(xt).sub(pick(velocity).mul(pick(batch.t).view([-1, 1, 1])));
      const rows = seen.map((place) => batch.targets[place]);
      const { features } = this.#people;
      return likeness.unlike(
        this.#base.pictures(predicted),
        features.indexSelect(0, tensor(rows, { dtype: "int64" })),
        this.#people.pointsOf(rows),
        { share, faces },
      );
    });
  }
}
