import { parseIdentity } from "./identity.ts";
import type { ShardSample } from "./shard-writer.ts";
import { readEntry, readHeaders, type TarEntry } from "./tar.ts";

/** All samples of a small tar file, in its order. @throws when one lacks its record or a picture */
export async function readSamples(path: string): Promise<ShardSample[]> {
  const files = new Map<string, Map<string, TarEntry>>();
  for (const entry of await readHeaders(path)) {
    const dot = entry.path.indexOf(".");
    const id = entry.path.slice(0, dot);
    files.set(id, (files.get(id) ?? new Map()).set(entry.path.slice(dot + 1), entry));
  }
  return Promise.all([...files].map(([id, own]) => sampleOf(`${path}: ${id}`, own)));
}

/** A sample from its files, by the part of their names behind the id. */
export async function sampleOf(where: string, files: ReadonlyMap<string, TarEntry>): Promise<ShardSample> {
  const load = async (name: string) => {
    const entry = files.get(name);
    if (!entry) throw new Error(`${where}: "${name}" is missing`);
    return readEntry(entry);
  };
  const record = parseIdentity(`${where}.json`, (await load("json")).toString("utf8"));
  return {
    record,
    images: await Promise.all(record.images.map((_, i) => load(`${i}.jpg`))),
    masks: await Promise.all(
      record.images.map((_, i) => (files.has(`${i}.mask.png`) ? load(`${i}.mask.png`) : undefined)),
    ),
  };
}
