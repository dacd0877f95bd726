import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "./atomic-file.ts";
import type { ShardSet } from "./shards.ts";
import { type Split, splitIdentities } from "./split.ts";

/** Who is held out of a set whose people come from videos. */
export interface SetSplit {
  rule: string;
  seed: number;
  /** Sources (videos) that are held out whole, and their identities. */
  test: { sources: string[]; ids: string[] };
  validation: { sources: string[]; ids: string[] };
}

const FILE = "split.json";
const RULE =
  "the 44 sources whose hash with the seed is lowest are for testing, the next 44 for validation; of fewer than 440 a tenth each, two at least";

/** Holds out whole sources, by the rule of {@link splitIdentities}: two people of one video share light and background. */
export function splitBySource(
  people: readonly { id: string; source: string }[],
  { seed = 0 }: { seed?: number } = {},
): SetSplit {
  const split = splitIdentities([...new Set(people.map(({ source }) => source))], { seed });
  const part = (sources: string[]) => {
    const held = new Set(sources);
    return { sources, ids: people.filter(({ source }) => held.has(source)).map(({ id }) => id) };
  };
  return { rule: RULE, seed, test: part(split.test), validation: part(split.validation) };
}

export function writeSplit(folder: string, split: SetSplit): void {
  writeFileAtomically(join(folder, FILE), `${JSON.stringify(split, null, 2)}\n`);
}

/** @throws when the file is damaged */
export function readSplit(folder: string): SetSplit | undefined {
  const path = join(folder, FILE);
  if (!existsSync(path)) return undefined;
  try {
    const split = JSON.parse(readFileSync(path, "utf8")) as SetSplit;
    if (![split.test, split.validation].every((part) => Array.isArray(part?.ids))) throw new Error("lists are missing");
    return split;
  } catch (error) {
    throw new Error(`${path}: damaged (${(error as Error).message}); curate or merge again to write it anew`);
  }
}

/** How a set is split: as its `split.json` says, or else by identity. */
export function splitOf(shards: Pick<ShardSet, "folder" | "ids">): Split {
  const file = readSplit(shards.folder);
  if (!file) return splitIdentities(shards.ids);
  const [test, validation] = [new Set(file.test.ids), new Set(file.validation.ids)];
  return {
    train: shards.ids.filter((id) => !test.has(id) && !validation.has(id)),
    validation: shards.ids.filter((id) => validation.has(id)),
    test: shards.ids.filter((id) => test.has(id)),
  };
}
