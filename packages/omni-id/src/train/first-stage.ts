import { KeyedRandom, ShardSet, splitOf } from "@omni-id/data";
import { modelFile, recogniserModel } from "@omni-id/face";
import { noGrad, scope } from "@omni-id/torch";
import type { RecogniserBackbone } from "../backbones/recogniser.ts";
import { buildEncoder, buildMaskedDecoder } from "../build.ts";
import { heldOutTasks } from "../evaluate/protocol.ts";
import { encodeTasks, pictureL1, reconstruct } from "../evaluate/reconstruct.ts";
import { saveReconstructionSheet } from "../evaluate/sheet.ts";
import { mean } from "../evaluate/statistics.ts";
import type { Preset } from "../presets/schema.ts";
import { LikenessLoss } from "./likeness.ts";
import { MtdModel, MtdStage } from "./mtd.ts";
import type { People } from "./people.ts";
import { preparePeople } from "./prepare.ts";
import type { HeldOutReport } from "./stage.ts";

/** People of training whose mean stands for "no identity". */
const MEAN_OVER = 256;

export interface FirstStage {
  stage: MtdStage;
  model: MtdModel;
  people: People;
}

export interface OpenFirstStageOptions {
  /** Folder of shards. */
  data: string;
  /** Folder of prepared people. */
  cache: string;
  preset: Preset;
  seed: number;
  note: (text: string) => void;
}

/**
 * Stage one on a folder of shards. The 44 test people are not opened; what is reported and drawn during the training
 * are 44 validation people, whom the training does not see either.
 */
export async function openFirstStage({ data, cache, preset, seed, note }: OpenFirstStageOptions): Promise<FirstStage> {
  const shards = await ShardSet.open(data);
  const split = splitOf(shards);
  const encoder = buildEncoder(preset);
  const backbone = encoder.backbone as RecogniserBackbone;
  const prepare = (ids: readonly string[], jitter: boolean) =>
    preparePeople({
      shards,
      ids,
      backbone,
      imageSize: preset.imageSize,
      cache,
      jitter,
      onProgress: (done, total) => note(`prepared ${done} of ${total} people`),
    });
  const people = await prepare(split.train, true);
  const validation = split.validation.length > 0 ? await prepare(split.validation, false) : undefined;
  note(
    `${people.ids.length} people to train on, ${split.validation.length} for validation, ${split.test.length} held out`,
  );

  scope(() => backbone.standardise(people.maps(sample(people, 512))));
  const model = new MtdModel(encoder, buildMaskedDecoder(preset));
  const { likeness, perceptual } = preset.mtd.loss;
  const stage = new MtdStage({
    model,
    people,
    preset: preset.mtd,
    seed,
    likeness: likeness > 0 || perceptual > 0 ? new LikenessLoss(modelFile(recogniserModel)) : undefined,
    heldOut: validation && ((step) => reportOn(model, people, validation, preset, step)),
  });
  return { stage, model, people };
}

/** Rows spread over all people, the same for every run. */
export function sample(people: People, count: number): number[] {
  const rows = people.ids.length * people.images;
  return new KeyedRandom(rows, count).choose(rows, Math.min(rows, count));
}

/** Identities of some of the training people, from three photos each: `[N, L, C]`. */
export function trainingIdentities(model: MtdModel, people: People, count = MEAN_OVER) {
  const random = new KeyedRandom(people.ids.length, 0x1d);
  const tasks = random.choose(people.ids.length, Math.min(count, people.ids.length)).map((person) => ({
    person,
    inputs: random.choose(people.images, 3).map((image) => person * people.images + image),
    targets: [],
  }));
  return scope(() => noGrad(() => encodeTasks(model.encoder, people, tasks, 3)));
}

function reportOn(model: MtdModel, people: People, validation: People, preset: Preset, step: number): HeldOutReport {
  return noGrad(() => {
    const tasks = heldOutTasks(validation.ids.length, validation.images);
    const { encoder, decoder } = model;
    const made = scope(() => {
      const meanIdentity = trainingIdentities(model, people).mean([0]);
      return reconstruct({
        encoder,
        decoder,
        people: validation,
        tasks,
        meanIdentity,
        maskRatio: preset.mtd.maskRatio,
      });
    });
    const l1 = (condition: keyof typeof made.made) => mean(pictureL1(made.made[condition], made));
    const metrics = {
      l1_1: l1("1"),
      l1_3: l1("3"),
      l1_5: l1("5"),
      l1_mean_identity: l1("identityRemoved"),
      l1_other_identity: l1("otherIdentity"),
      gap: l1("otherIdentity") / l1("3") - 1,
    };
    const picture = async (file: string) => {
      const notes = Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`);
      await saveReconstructionSheet(file, {
        people: validation,
        tasks,
        made,
        title: `step ${step}`,
        notes: [notes.join(" · ")],
      });
    };
    return { metrics, picture };
  });
}
