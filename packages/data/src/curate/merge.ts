import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeFileAtomically } from "../atomic-file.ts";
import { type ShardSample, writeSamples } from "../shard-writer.ts";
import { ShardSet } from "../shards.ts";
import { assembleShards, idsOf, outcomes } from "./assemble.ts";
import { type CombinedVideo, combineVideos, type Likeness } from "./combine.ts";
import { type Outcome, outcomeText } from "./outcome.ts";
import { places } from "./places.ts";
import { firstDifference, type Recipe, readRecipe, takeFolder } from "./recipe.ts";
import { type Removal, readRemovals, removalsFile } from "./removed.ts";
import { type CurationFile, writeReport } from "./report.ts";
import { lockFolder } from "./set-lock.ts";
import { summarise } from "./summary.ts";

export interface MergeOptions {
  /** Folders that `curate` wrote. */
  parts: readonly string[];
  /** Folder of the whole set. */
  out: string;
  /** How alike identities of one video are that two parts hold: asked for only where that happens. */
  likeness: () => Promise<Likeness>;
  onProgress?: (done: number, total: number) => void;
}

export interface MergeResult {
  videos: number;
  identities: number;
  /** Videos that stood in more than one part. */
  shared: number;
  report: string;
}

/**
 * Joins parts into one set: the same bytes as one process that curated all their videos. Where a video stands in
 * several parts, as when two lists name it, its people are compared and nobody is taken twice. Killed, it goes on.
 * @throws when a part is unfinished or of another recipe
 */
export async function mergeParts({ parts, out, likeness, onProgress }: MergeOptions): Promise<MergeResult> {
  const recipe = commonRecipe(parts);
  const files = parts.map(readCuration);
  const removals = parts.flatMap(readRemovals);
  const gone = new Set(removals.map(({ video }) => video));
  const unlock = lockFolder(out);
  try {
    takeFolder(out, recipe);
    takeParts(out, parts);
    if (removals.length > 0) writeRemovals(out, removals);
    const homes = videosOf(parts.map((part) => new MergedPart(part)));
    let [done, shared] = [0, 0];
    for (const [video, where] of homes) {
      shared += Number(where.length > 1);
      if (!gone.has(video) && !existsSync(places(out, video).outcome)) {
        await takeVideo(out, await joined(where, recipe, likeness));
      }
      onProgress?.(++done, homes.size);
    }
    const identities = await assembleShards(out, recipe.settings);
    const curation: CurationFile = {
      ...recipe,
      missing: [...new Set(files.flatMap(({ missing }) => missing))].sort(),
      malformed: uniqueMalformed(files.flatMap(({ malformed }) => malformed)),
      summary: summarise(outcomes(out)),
    };
    writeFileAtomically(join(out, "curation.json"), `${JSON.stringify(curation, null, 2)}\n`);
    return { videos: homes.size, identities, shared, report: await writeReport(out) };
  } finally {
    unlock();
  }
}

function commonRecipe(parts: readonly string[]): Recipe {
  const recipes = parts.map((part) => {
    const recipe = readRecipe(part);
    if (!recipe) throw new Error(`${part}: not a curated set (recipe.json is missing)`);
    return recipe;
  });
  for (const [i, recipe] of recipes.entries()) {
    const difference = firstDifference(recipe, recipes[0]);
    if (difference) throw new Error(`${parts[i]}: made with ${difference} as in ${parts[0]}; parts must be made alike`);
  }
  return recipes[0];
}

function readCuration(part: string): CurationFile {
  const path = join(part, "curation.json");
  if (!existsSync(path))
    throw new Error(`${part}: its curation is not finished; run the same command there again first`);
  return JSON.parse(readFileSync(path, "utf8")) as CurationFile;
}

/** Notes which parts a folder is merged from, so that two merges never mix. */
function takeParts(out: string, parts: readonly string[]): void {
  const path = join(out, "merged-from.json");
  const list = JSON.stringify([...parts]);
  const begun = existsSync(join(out, "journal"));
  if (begun && (!existsSync(path) || readFileSync(path, "utf8") !== list)) {
    throw new Error(`${out}: holds a set that was not merged from these parts; choose an empty folder`);
  }
  writeFileAtomically(path, list);
}

function writeRemovals(out: string, removals: readonly Removal[]): void {
  const byVideo = new Map([...readRemovals(out), ...removals].map((removal) => [removal.video, removal]));
  writeFileAtomically(removalsFile(out), `${JSON.stringify([...byVideo.values()], null, 2)}\n`);
}

/** A part, whose shards are opened once they are asked for. */
class MergedPart {
  readonly folder: string;
  #set?: Promise<ShardSet>;

  constructor(folder: string) {
    this.folder = folder;
  }

  async samples(outcome: Outcome): Promise<ShardSample[]> {
    const ids = idsOf(outcome);
    if (ids.length === 0) return [];
    this.#set ??= ShardSet.open(this.folder);
    const set = await this.#set;
    return Promise.all(ids.map((id) => set.sample(id)));
  }

  thumbs({ video: { video } }: Outcome): string | undefined {
    const path = places(this.folder, video).dropped;
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  }
}

/** The parts in which a video was finished. */
type Homes = { part: MergedPart; outcome: Outcome }[];

function videosOf(parts: readonly MergedPart[]): Map<string, Homes> {
  const homes = new Map<string, Homes>();
  for (const part of parts) {
    for (const outcome of outcomes(part.folder)) {
      const { video } = outcome.video;
      homes.set(video, [...(homes.get(video) ?? []), { part, outcome }]);
    }
  }
  return homes;
}

async function joined(homes: Homes, { settings }: Recipe, likeness: MergeOptions["likeness"]): Promise<CombinedVideo> {
  const all: CombinedVideo[] = [];
  for (const { part, outcome } of homes) {
    if (all.some((other) => outcomeText(other.outcome) === outcomeText(outcome))) continue;
    all.push({ outcome, samples: await part.samples(outcome), thumbs: part.thumbs(outcome) });
  }
  return all.length === 1
    ? all[0]
    : combineVideos(all, { samePerson: settings.samePerson, likeness: await likeness() });
}

async function takeVideo(out: string, { outcome, samples, thumbs }: CombinedVideo): Promise<void> {
  const at = places(out, outcome.video.video);
  for (const path of [at.people, at.outcome]) mkdirSync(dirname(path), { recursive: true });
  if (samples.length > 0) await writeSamples(at.people, samples);
  if (thumbs) writeFileAtomically(at.dropped, thumbs);
  writeFileAtomically(at.outcome, outcomeText(outcome));
}

function uniqueMalformed(all: CurationFile["malformed"]): CurationFile["malformed"] {
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}
