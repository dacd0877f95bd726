import { join } from "node:path";
import { mean } from "@omni-id/data";
import { modelFile, recogniserModel } from "@omni-id/face";
import { noGrad, scope } from "@omni-id/torch";
import { heldOutTasks } from "../../evaluate/protocol.ts";
import { encodeTasks, pictureL1, reconstruct } from "../../evaluate/reconstruct.ts";
import { saveReconstructionSheet } from "../../evaluate/sheet.ts";
import { trainingSets } from "../../evaluate/training-identities.ts";
import type { People } from "../../people/people.ts";
import type { Pictures } from "../../people/picture-source.ts";
import { sample } from "../../people/sample.ts";
import type { Preset } from "../../presets/schema.ts";
import { buildEncoder, buildMaskedDecoder } from "../../weights/build.ts";
import { loadEncoder, startMaskedDecoder } from "../../weights/first-stage.ts";
import { ENCODER_FILE } from "../../weights/folder.ts";
import { startFromPretrained } from "../../weights/pretrained.ts";
import { figuresLine } from "../figures-line.ts";
import { LikenessLoss } from "../likeness.ts";
import { type HeldOutReport, setTrainable } from "../stage.ts";
import { type OpenStageOptions, openStagePeople } from "../stage-people.ts";
import { MtdModel, MtdStage } from "./stage.ts";

export interface FirstStage {
  stage: MtdStage;
  model: MtdModel;
  people: People;
  /** The encoder's file, where a finished encoder is kept as it is. */
  kept?: { file: string; hash: string };
  /** How the decoder was trained before, where one was given. */
  before?: Readonly<Record<string, string>>;
}

export interface OpenFirstStageOptions extends OpenStageOptions {
  /** Folder of an encoder to start from, such as the one that stage two has changed. */
  encoder?: string;
  /** Folder of a masked decoder to start from. */
  decoder?: string;
}

/**
 * Stage one on a folder of shards. The test people are not opened; what is reported and drawn during the training
 * are the validation people, whom the training does not see either.
 */
export async function openFirstStage(options: OpenFirstStageOptions): Promise<FirstStage> {
  const { preset, seed } = options;
  const given = options.encoder === undefined ? undefined : await loadEncoder(options.encoder);
  const encoder = given?.bundle.encoder ?? buildEncoder(preset);
  const { backbone } = encoder;
  if (!given) await startFromPretrained(backbone, preset.backbone);
  const { people, validation } = await openStagePeople(options, { imageSize: preset.mtd.imageSize, backbone });
  if (given || preset.mtd.backboneRate === 0) setTrainable(encoder, preset.mtd);
  if (!given) scope(() => backbone.standardise?.(people.maps(sample(people, 512))));

  const decoder = buildMaskedDecoder(preset);
  const before = options.decoder ? await startMaskedDecoder(decoder, options.decoder) : undefined;
  const model = new MtdModel(encoder, decoder);
  const report = validation && (await reporter(model, people, validation, preset));
  const { likeness, perceptual } = preset.mtd.loss;
  const stage = new MtdStage({
    model,
    people,
    preset: preset.mtd,
    seed,
    alteredShare: preset.alteredInputs.share,
    likeness: likeness > 0 || perceptual > 0 ? new LikenessLoss(modelFile(recogniserModel)) : undefined,
    heldOut: report,
  });
  const kept =
    given && preset.mtd.encoderRate === 0
      ? { file: join(options.encoder as string, ENCODER_FILE), hash: given.hash }
      : undefined;
  return { stage, model, people, kept, before };
}

/** Reports on validation people; training people whose mean stands for no identity have their photos at hand. */
async function reporter(
  model: MtdModel,
  people: People,
  validation: People,
  preset: Preset,
): Promise<(step: number) => HeldOutReport> {
  const sets = trainingSets(people);
  const pictures = await people.pictures({ maps: sets.flatMap(({ inputs }) => inputs) });
  return (step) => reportOn(model, { sets, pictures }, validation, preset, step);
}

function reportOn(
  model: MtdModel,
  known: { sets: { inputs: number[] }[]; pictures: Pictures },
  validation: People,
  preset: Preset,
  step: number,
): HeldOutReport {
  return noGrad(() => {
    const tasks = heldOutTasks(validation);
    const { encoder, decoder } = model;
    const made = scope(() => {
      const meanIdentity = encodeTasks(encoder, known.pictures, known.sets, 3).mean([0]);
      return reconstruct({
        encoder,
        decoder,
        people: validation,
        tasks,
        meanIdentity,
        maskRatio: preset.mtd.maskRatio,
        tokens: preset.mtd.tokens,
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
      await saveReconstructionSheet(file, {
        people: validation,
        tasks,
        made,
        title: `step ${step}`,
        notes: [figuresLine(metrics, 4)],
      });
    };
    return { metrics, picture };
  });
}
