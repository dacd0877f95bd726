import { existsSync } from "node:fs";
import { join } from "node:path";
import { ShardSet } from "@omni-id/data";
import { RecogniserBackbone } from "../backbones/recogniser.ts";
import { neverMet } from "../evaluate/never-met.ts";
import type { SceneArm } from "../evaluate/personalise/draw.ts";
import { readPrompts, SCENE_PROMPTS } from "../evaluate/personalise/prompts.ts";
import { evaluatePersonalise, type PersonaliseReport } from "../evaluate/personalise/report.ts";
import { describePersonalise, saveScenesSheet } from "../evaluate/personalise/sheet.ts";
import type { Judge } from "../evaluate/recognisers.ts";
import { SceneGenerator } from "../generate/scene-generator.ts";
import type { People } from "../people/people.ts";
import { type PrepareOptions, preparePeople } from "../people/prepare.ts";
import { ATTRIBUTES_FILE, loadAttributes } from "../weights/attributes.ts";
import { loadClip } from "../weights/clip.ts";
import { note, UsageError } from "./output.ts";

/** Where `train attributes` leaves its weights. */
const ATTRIBUTES = join("runs", "attributes", "weights");
const DATA = join("data", "scenes");

export interface PersonaliseChosen {
  /** Folder of shards; scenes where nothing is said. */
  data?: string | undefined;
  people: "test" | "validation" | "all";
  cache: string;
  /** Weights of the arm "omni-id". */
  weights: string;
  /** Further ones, each NAME=FOLDER. */
  arms?: readonly string[] | undefined;
  prompts?: string | undefined;
  attributes?: string | undefined;
  clip?: string | undefined;
  identities: number;
  judge: Judge;
  seed: number;
  steps?: number | undefined;
  guidance?: number | undefined;
  picture: string;
  onProgress: (what: string) => void;
}

/** `evaluate --stage personalise`. @throws in one line for weights, people or prompts that are missing */
export async function personalise(chosen: PersonaliseChosen): Promise<{ report: PersonaliseReport; lines: string[] }> {
  const { weights, identities, judge, seed, steps, guidance, cache, picture, onProgress } = chosen;
  const prompts = readPrompts(chosen.prompts ?? SCENE_PROMPTS);
  const folders = new Map([["omni-id", weights], ...(chosen.arms ?? []).map(armOf)]);
  const attributesFolder = chosen.attributes ?? (existsSync(join(weights, ATTRIBUTES_FILE)) ? weights : ATTRIBUTES);
  const attributes = await loadAttributes(attributesFolder);
  const clip = chosen.clip === undefined ? undefined : await loadClip(chosen.clip);
  const shards = await ShardSet.open(chosen.data ?? DATA);
  const part = chosen.people;
  const ids = (part === "all" ? shards.ids : neverMet(shards, { part, weights: [...folders.values()], note })).slice(
    0,
    identities,
  );
  if (ids.length < 2) {
    throw new Error(
      `${shards.folder}: people to measure on: ${ids.length}, and a stranger is wanted for each; --people all takes everybody of a set`,
    );
  }
  const arms: Record<string, SceneArm> = {};
  for (const [name, folder] of folders) {
    const generator = await SceneGenerator.load(folder);
    if (!generator.decoder)
      throw new Error(`${folder}: holds no adapter that tells of a person: omni-id train personalise`);
    arms[name] = { generator, photos: await open({ shards, ids, generator, pictures: "portraits", cache }) };
  }
  const { generator } = arms["omni-id"];
  const scenes = await open({ shards, ids, generator, pictures: "scenes", cache });
  const { report, pictures } = await evaluatePersonalise({
    arms,
    scenes,
    prompts,
    attributes,
    clip,
    judge,
    seed,
    settings: { steps, ...(guidance !== undefined && { guidance: { identity: guidance } }) },
    keep: join(cache, "drawn"),
    onProgress,
  });
  const lines = describePersonalise(report);
  const title = `People in scenes, drawn from ${report.photos} photos and a sentence`;
  const { photos } = arms["omni-id"];
  await saveScenesSheet(picture, { photos, prompts, pictures: pictures["omni-id"], title, notes: lines });
  return { report, lines };
}

function armOf(given: string): [string, string] {
  const [, name, folder] = /^([a-z][a-z0-9-]*)=(.+)$/.exec(given) ?? [];
  if (name === undefined || name === "base" || name === "omni-id") {
    throw new UsageError(`--arms ${given}: expected NAME=FOLDER, such as arcface=runs/personalise-arcface/weights`);
  }
  return [name, folder];
}

function open(options: {
  shards: ShardSet;
  ids: readonly string[];
  generator: SceneGenerator;
  pictures: NonNullable<PrepareOptions["pictures"]>;
  cache: string;
}): Promise<People> {
  const { generator, pictures, ...rest } = options;
  const { bundle, preset } = generator.encoder;
  return preparePeople({
    ...rest,
    pictures,
    backbone: bundle.encoder.backbone,
    recogniser: () => RecogniserBackbone.load({ width: preset.backbone.width }),
    imageSize: pictures === "scenes" ? generator.pixels : preset.mtd.imageSize,
    faceMask: preset.faceMask,
    jitter: false,
  });
}
