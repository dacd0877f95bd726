import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "../atomic-file.ts";
import { readSamples } from "../sample-reader.ts";
import { writeSamples } from "../shard-writer.ts";
import { readSplit, writeSplit } from "../split-file.ts";
import { readEntry, readHeaders } from "../tar.ts";
import { assembledStamp, idsOf, outcomes } from "./assemble.ts";
import { parseOutcome } from "./outcome.ts";
import { identityId } from "./outcome-of.ts";
import { places } from "./places.ts";
import { readRecipe } from "./recipe.ts";
import { readRemovals, removalsFile } from "./removed.ts";
import { type CurationFile, writeReport } from "./report.ts";
import { lockFolder } from "./set-lock.ts";
import { summarise } from "./summary.ts";

/** What was taken out, and what was searched afterwards to prove it. */
export interface RemovalProof {
  video: string;
  identities: string[];
  /** SHA-256 of every picture and mask that is gone. */
  pictures: string[];
  /** Shards that were written anew. */
  shards: string[];
  /** Files of the folder, and files inside shards, that were searched for the ids and for the pictures' bytes. */
  searched: { files: number; entries: number };
}

/**
 * Takes everybody of a video out of a set: pictures, masks, records, journal, report. Then every file of the folder is
 * searched for what was there; only `removed.json` still names the video, so that it never comes back.
 * @throws when the set knows no such video, its curation is not finished, or a trace is left
 */
export async function removeVideo(out: string, video: string, { now = new Date() } = {}): Promise<RemovalProof> {
  const recipe = readRecipe(out);
  if (!recipe) throw new Error(`${out}: not a curated set (recipe.json is missing)`);
  if (!existsSync(join(out, "curation.json"))) throw new Error(`${out}: its curation is not finished; finish it first`);
  const unlock = lockFolder(out);
  try {
    const at = places(out, video);
    const identities = identitiesOf(out, video);
    // First the note that keeps it out, then what is there. Killed on the way, the same call goes on.
    const note = readRemovals(out).find((one) => one.video === video);
    if (!note) {
      const removal = { video, date: now.toISOString(), identities: identities.length };
      writeFileAtomically(removalsFile(out), `${JSON.stringify([...readRemovals(out), removal], null, 2)}\n`);
    }
    const { pictures, shards } = await rewriteShards(out, identities);
    for (const path of [at.observations, at.people, at.dropped, at.outcome])
      rmSync(path, { recursive: true, force: true });
    forget(out, video, new Set(identities));
    writeFileAtomically(join(out, "assembled.txt"), assembledStamp(out, recipe.settings));
    await writeReport(out);
    return { video, identities, pictures, shards, searched: await search(out, video, identities, new Set(pictures)) };
  } finally {
    unlock();
  }
}

/** The identities of a video, by its journal, or by the note of a removal that was begun. */
function identitiesOf(out: string, video: string): string[] {
  const { outcome } = places(out, video);
  if (existsSync(outcome)) return idsOf(parseOutcome(outcome, readFileSync(outcome, "utf8")));
  const note = readRemovals(out).find((one) => one.video === video);
  if (note) return Array.from({ length: note.identities }, (_, i) => identityId(video, i));
  const known = [...outcomes(out)].map((one) => one.video.video);
  const near = known.filter((one) => one.includes(video) || video.includes(one)).slice(0, 5);
  const like = near.length > 0 ? `did you mean ${near.join(", ")}?` : `it has ${known.length} videos`;
  throw new Error(`${out}: no video "${video}" in this set; ${like}`);
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Writes the shards that hold one of the identities without it; hashes of what went. */
async function rewriteShards(out: string, ids: readonly string[]): Promise<{ pictures: string[]; shards: string[] }> {
  const gone = new Set(ids);
  const pictures: string[] = [];
  const shards: string[] = [];
  for (const name of shardsOf(out)) {
    const path = join(out, name);
    const headers = await readHeaders(path);
    const mine = headers.filter(({ path: file }) => gone.has(file.slice(0, file.indexOf("."))));
    if (mine.length === 0) continue;
    for (const entry of mine) if (!entry.path.endsWith(".json")) pictures.push(sha256(await readEntry(entry)));
    const left = (await readSamples(path)).filter(({ record }) => !gone.has(record.id));
    if (left.length > 0) await writeSamples(path, left);
    else rmSync(path);
    shards.push(name);
  }
  return { pictures, shards };
}

const shardsOf = (out: string) =>
  readdirSync(out)
    .filter((name) => name.endsWith(".tar"))
    .sort();

/** Takes a video out of the split and the counts; nobody else changes sides. */
function forget(out: string, video: string, ids: ReadonlySet<string>): void {
  const split = readSplit(out);
  if (split) {
    for (const part of [split.test, split.validation]) {
      part.sources = part.sources.filter((source) => source !== video);
      part.ids = part.ids.filter((id) => !ids.has(id));
    }
    writeSplit(out, split);
  }
  const path = join(out, "curation.json");
  const curation = JSON.parse(readFileSync(path, "utf8")) as CurationFile;
  const summary = summarise(outcomes(out));
  writeFileAtomically(path, `${JSON.stringify({ ...curation, summary }, null, 2)}\n`);
}

/** Looks for the video in every file that is left. @throws naming the first trace */
async function search(
  out: string,
  video: string,
  ids: readonly string[],
  pictures: ReadonlySet<string>,
): Promise<RemovalProof["searched"]> {
  const fields = ["video", "source"].map((name) => `"${name}":${JSON.stringify(video)}`);
  const whole = ids.map((id) => new RegExp(`(?<![\\w-])${id}(?![\\w-])`));
  const traceIn = (text: string) =>
    fields.some((field) => text.includes(field)) || whole.some((pattern) => pattern.test(text));
  const left = (where: string) => new Error(`${where}: still holds something of "${video}"; remove it by hand`);
  const files = filesOf(out).filter((path) => path !== removalsFile(out) && !path.endsWith(".lock"));
  let entries = 0;
  for (const path of files) {
    if (!path.endsWith(".tar")) {
      if (traceIn(readFileSync(path, "utf8"))) throw left(path);
      continue;
    }
    for (const entry of await readHeaders(path)) {
      entries++;
      const bytes = await readEntry(entry);
      const json = entry.path.endsWith(".json") ? bytes.toString("utf8") : "";
      const id = entry.path.slice(0, entry.path.indexOf("."));
      if (traceIn(id) || traceIn(json)) throw left(`${path}: ${entry.path}`);
      if (pictures.has(sha256(bytes))) {
        throw new Error(
          `"${video}" is removed, but "${id}" holds the same picture (${path}: ${entry.path}): the film is here under another id too; remove that one as well`,
        );
      }
    }
  }
  return { files: files.length, entries };
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesOf(join(folder, entry.name)) : [join(folder, entry.name)],
  );
}
