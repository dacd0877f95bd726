import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { writeAtomically } from "@omni-id/torch";
import { pack } from "tar-stream";
import type { IdentityRecord } from "./identity.ts";

/** An identity with the bytes of its files. */
export interface ShardSample {
  record: IdentityRecord;
  /** JPEG bytes, one an image. */
  images: Uint8Array[];
  /** PNG bytes of the face masks, one an image, where there are any. */
  masks?: (Uint8Array | undefined)[];
}

/** `people-000000.tar` */
export const shardName = (index: number) => `people-${String(index).padStart(6, "0")}.tar`;

/**
 * Writes one WebDataset shard: `{id}.0.jpg, {id}.0.mask.png, …, {id}.json`, the files of a sample side by side. The
 * shard appears by rename when it is whole, and the same samples give the same bytes.
 * @throws when an id holds a dot or a slash: a sample's key ends at the first dot
 */
export async function writeShard(folder: string, index: number, samples: readonly ShardSample[]): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, shardName(index));
  await writeSamples(path, samples);
  return path;
}

/** Writes samples into a tar file of any name; see {@link writeShard}. */
export async function writeSamples(path: string, samples: readonly ShardSample[]): Promise<void> {
  const archive = pack();
  const add = (name: string, bytes: Uint8Array) => archive.entry({ name, mtime: new Date(0) }, Buffer.from(bytes));
  for (const { record, images, masks } of samples) {
    if (!/^[\w-]+$/.test(record.id))
      throw new Error(`identity "${record.id}": an id may hold letters, digits, - and _`);
    for (const [i, image] of images.entries()) {
      add(`${record.id}.${i}.jpg`, image);
      const mask = masks?.[i];
      if (mask) add(`${record.id}.${i}.mask.png`, mask);
    }
    add(`${record.id}.json`, Buffer.from(JSON.stringify(record)));
  }
  archive.finalize();
  writeAtomically(path, (await Readable.from(archive).toArray()) as Buffer[]);
}
