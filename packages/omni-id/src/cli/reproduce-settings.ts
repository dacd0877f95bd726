import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { ShardSet, writeSyntheticShards } from "@omni-id/data";
import { preferredPrecision } from "@omni-id/torch";
import type { ExperimentSettings } from "../experiments/stages.ts";
import { TABLES } from "../experiments/tables/index.ts";
import { NANO_CLIP } from "../presets/nano-clip.ts";
import { nearest } from "../presets/nearest.ts";
import { CLIP_FILE, hasClip } from "../weights/clip.ts";
import { readWeightsNote } from "../weights/file.ts";
import { CONTROL_FILE, FLUX_FILE } from "../weights/flow.ts";
import { ENCODER_FILE, shippedWeights } from "../weights/folder.ts";
import { kleinHere } from "./klein-here.ts";
import { UsageError } from "./output.ts";

/** Small enough for a test: what it measures is noise. */
const SMOKE = {
  identities: 10,
  set: ["mtd.batch=2", "flow.adapter.batch=2", "mtd.targets=2", "flow.adapter.targets=2"],
  steps: { mtd: 2, flow: 2, downstream: 1 },
  drawing: 2,
};

/** What the options of `omni-id reproduce` say. */
export interface Chosen {
  arms?: string[];
  seeds: number;
  stepsMtd: number;
  stepsFlow: number;
  stepsDownstream: number;
  set?: string[];
  data: string;
  web?: string;
  base?: string;
  clip?: string;
  device: string;
  precision?: string;
  guidance?: number;
  references?: number;
  smoke?: boolean;
}

/** What is run, with everything resolved that a stage's name is a hash of. @throws for a table or arm that is not known */
export async function settingsOf(tables: readonly string[], options: Chosen): Promise<ExperimentSettings> {
  const { arms, seeds, stepsMtd: mtd, stepsFlow: flow, stepsDownstream: downstream, smoke, device, guidance } = options;
  const names = tablesOf(tables, arms);
  const base = resolve(options.base ?? shippedWeights());
  if (!existsSync(join(base, CONTROL_FILE))) {
    throw new Error(`${base}: no ${CONTROL_FILE}, by which pictures get their poses: omni-id train control`);
  }
  return {
    tables: names,
    arms,
    seeds,
    steps: smoke ? SMOKE.steps : { mtd, flow, downstream },
    set: [...(smoke ? SMOKE.set : []), ...(options.set ?? [])],
    data: await describe(options.data),
    web: options.web === undefined ? undefined : await describe(options.web),
    clip: await clipHere(options.clip),
    references: kleinHere(options.references, device),
    base: await baseHere(base),
    device,
    precision: options.precision ?? preferredPrecision(),
    judging: { seed: 7, steps: smoke ? SMOKE.drawing : 12, guidance },
  };
}

/** @throws UsageError for a table or arm that is not known */
function tablesOf(tables: readonly string[], arms: readonly string[] | undefined): string[] {
  const known = Object.keys(TABLES);
  const strange = tables.find((name) => name !== "all" && !known.includes(name));
  if (strange !== undefined)
    throw new UsageError(`table "${strange}" is not known${nearest(strange, [...known, "all"])}`);
  const names = tables.includes("all") ? known : [...new Set(tables)];
  const all = [...new Set(names.flatMap((name) => Object.keys(TABLES[name].arms)))];
  const other = arms?.find((arm) => !all.includes(arm));
  if (other !== undefined)
    throw new UsageError(`arm "${other}" is not known in ${names.join(", ")}${nearest(other, all)}`);
  return names;
}

async function describe(folder: string): Promise<ExperimentSettings["data"]> {
  return { folder: resolve(folder), fingerprint: (await ShardSet.open(folder)).fingerprint };
}

/** The flow base, and the encoder beside it where there is one. */
async function baseHere(folder: string): Promise<ExperimentSettings["base"]> {
  const { hash } = await readWeightsNote(join(folder, FLUX_FILE), "base");
  const encoder = join(folder, ENCODER_FILE);
  return { folder, hash, ...(existsSync(encoder) && { encoder: (await readWeightsNote(encoder, "mtd")).hash }) };
}

/** The small CLIP where it is. @throws when it was asked for, and is not there */
async function clipHere(asked: string | undefined): Promise<ExperimentSettings["clip"]> {
  const folder = asked ?? NANO_CLIP.pretrained;
  if (asked === undefined && !hasClip(folder)) return undefined;
  return { folder: resolve(folder), hash: (await readWeightsNote(join(folder, CLIP_FILE), "clip")).hash };
}

/** Few people for `--smoke`, and its own. */
export async function smokeData(out: string): Promise<string> {
  const folder = join(out, "people");
  // Another seed than the shipped base's: it would have met some of these few.
  await writeSyntheticShards({ out: folder, identities: SMOKE.identities, images: 8, size: 96, seed: 1 });
  return folder;
}
