import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeFileAtomically } from "../atomic-file.ts";
import { readSamples } from "../sample-reader.ts";
import { type ShardSample, writeSamples, writeShard } from "../shard-writer.ts";
import { ShardSet } from "../shards.ts";
import { type SetSplit, splitBySource, writeSplit } from "../split-file.ts";
import { type Outcome, parseOutcome } from "./outcome.ts";
import { places } from "./places.ts";
import type { SetSettings } from "./settings.ts";

/** All finished videos of a set, in the order of their ids, one at a time. */
export function* outcomes(out: string): Generator<Outcome> {
  const folder = join(out, "journal");
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)
    .filter((file) => file.endsWith(".jsonl"))
    .sort()) {
    const path = join(folder, name);
    yield parseOutcome(path, readFileSync(path, "utf8"));
  }
}

/** The identities of a video that were kept. */
export const idsOf = ({ people }: Outcome): string[] =>
  people.filter(({ pictures }) => pictures > 0).map(({ id }) => id);

interface Row {
  video: string;
  ids: string[];
  files?: string;
}

/**
 * Writes the shards of a set from the people of its finished videos. Which videos were finished in which run, and what
 * was written before, makes no difference to the bytes. Until it is through, every video's people are also in `work`,
 * so it can be killed anywhere.
 * @returns how many identities there are
 */
export async function assembleShards(
  out: string,
  { shardSize, seed }: SetSettings,
  { split = true }: { split?: boolean } = {},
): Promise<number> {
  const rows = rowsOf(out);
  const stamp = stampOf(rows, { shardSize, seed }, split);
  const marker = join(out, "assembled.txt");
  if (!existsSync(marker) || readFileSync(marker, "utf8") !== stamp) {
    await restore(out, rows);
    rmSync(marker, { force: true });
    for (const name of readdirSync(out).filter((file) => file.endsWith(".tar"))) rmSync(join(out, name));
    await writeShards(out, rows, shardSize);
    rmSync(join(out, "split.json"), { force: true });
    if (split) writeSplit(out, splitOf(rows, seed));
    writeFileAtomically(marker, stamp);
  }
  for (const { video } of rows) rmSync(places(out, video).people, { force: true });
  return rows.reduce((sum, { ids }) => sum + ids.length, 0);
}

function rowsOf(out: string): Row[] {
  return [...outcomes(out)].map((outcome) => {
    const { video, files } = outcome.video;
    return { video, ids: idsOf(outcome), ...(files && { files }) };
  });
}

type Layout = Pick<SetSettings, "shardSize" | "seed">;

function stampOf(rows: readonly Row[], { shardSize, seed }: Layout, split: boolean): string {
  return createHash("sha256")
    .update(JSON.stringify([rows, shardSize, seed, split]))
    .digest("hex");
}

/** What marks the shards of a folder as those of its journals. */
export function assembledStamp(out: string, layout: Layout): string {
  return stampOf(rowsOf(out), layout, existsSync(join(out, "split.json")));
}

/** Fetches back into `work` the people who are only in shards that are about to be replaced. */
async function restore(out: string, rows: readonly Row[]): Promise<void> {
  const gone = rows.filter(({ video, ids }) => ids.length > 0 && !existsSync(places(out, video).people));
  if (gone.length === 0) return;
  const shards = readdirSync(out).some((name) => name.endsWith(".tar")) ? await ShardSet.open(out) : undefined;
  const known = new Set(shards?.ids);
  for (const { video, ids } of gone) {
    const missing = ids.find((id) => !known.has(id));
    if (!shards || missing) {
      throw new Error(
        `${out}: the pictures of "${missing}" are gone; delete ${places(out, video).outcome} and curate again`,
      );
    }
    const path = places(out, video).people;
    mkdirSync(dirname(path), { recursive: true });
    await writeSamples(path, await Promise.all(ids.map((id) => shards.sample(id))));
  }
}

async function writeShards(out: string, rows: readonly Row[], shardSize: number): Promise<void> {
  let waiting: ShardSample[] = [];
  let index = 0;
  for (const { video, ids } of rows) {
    if (ids.length > 0) waiting.push(...(await readSamples(places(out, video).people)));
    for (; waiting.length >= shardSize; waiting = waiting.slice(shardSize)) {
      await writeShard(out, index++, waiting.slice(0, shardSize));
    }
  }
  if (waiting.length > 0) await writeShard(out, index, waiting);
}

function splitOf(rows: readonly Row[], seed: number): SetSplit {
  return splitBySource(
    rows.flatMap(({ video, ids }) => ids.map((id) => ({ id, source: video }))),
    { seed },
  );
}
