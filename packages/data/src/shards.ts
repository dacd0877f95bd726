import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type IdentityRecord, parseIdentity } from "./identity.ts";
import { sampleOf } from "./sample-reader.ts";
import type { ShardSample } from "./shard-writer.ts";
import { readEntry, readHeaders, type TarEntry } from "./tar.ts";

/** An identity as read from its shard. */
export interface LoadedIdentity extends IdentityRecord {
  /** Encoded bytes of an image. */
  image(index: number): Promise<Uint8Array>;
  /** Encoded bytes of its face mask, if there is one. */
  mask(index: number): Promise<Uint8Array | undefined>;
}

/** A folder of WebDataset shards with random access by identity. Opening reads the headers only. */
export class ShardSet {
  readonly folder: string;
  /** Identities in the order of the shards. */
  readonly ids: readonly string[];
  /** A hash of all names, places and sizes: changes when the set does. */
  readonly fingerprint: string;
  readonly #files: ReadonlyMap<string, ReadonlyMap<string, TarEntry>>;

  private constructor(folder: string, files: ReadonlyMap<string, ReadonlyMap<string, TarEntry>>, fingerprint: string) {
    this.folder = folder;
    this.#files = files;
    this.ids = [...files.keys()];
    this.fingerprint = fingerprint;
  }

  /** @throws when there are no shards, one is cut off, or an identity stands in two */
  static async open(folder: string): Promise<ShardSet> {
    const shards = existsSync(folder)
      ? readdirSync(folder)
          .filter((name) => name.endsWith(".tar"))
          .sort()
      : [];
    if (shards.length === 0) {
      throw new Error(`${folder}: no shards (*.tar) here; make some with: omni-id data synth -o ${folder}`);
    }
    const files = new Map<string, Map<string, TarEntry>>();
    const hash = createHash("sha256");
    for (const name of shards) {
      const shard = join(folder, name);
      const homes = new Set<string>();
      for (const entry of await readHeaders(shard)) {
        const { path, offset, size } = entry;
        hash.update(`${name}\0${path}\0${offset}\0${size}\n`);
        const base = path.slice(path.lastIndexOf("/") + 1);
        const dot = base.indexOf(".");
        if (dot < 1) continue;
        const id = base.slice(0, dot);
        if (files.has(id) && !homes.has(id)) {
          throw new Error(`${shard}: identity "${id}" stands in an earlier shard too; remove one of the two`);
        }
        homes.add(id);
        const own = files.get(id) ?? new Map<string, TarEntry>();
        own.set(base.slice(dot + 1), entry);
        files.set(id, own);
      }
    }
    return new ShardSet(folder, files, hash.digest("hex"));
  }

  /** One identity's record; its images are read when they are asked for. @throws when it is not there or damaged */
  async read(id: string): Promise<LoadedIdentity> {
    const files = this.#files.get(id);
    if (!files) throw new Error(`${this.folder}: no identity "${id}"`);
    const load = async (name: string) => {
      const entry = files.get(name);
      return entry && readEntry(entry);
    };
    const json = await load("json");
    if (!json) throw new Error(`${this.folder}: identity "${id}" has no ${id}.json`);
    const record = parseIdentity(`${this.folder}: ${id}.json`, Buffer.from(json).toString("utf8"));
    return {
      ...record,
      image: async (index) => {
        const bytes = await load(`${index}.jpg`);
        if (!bytes) throw new Error(`${this.folder}: identity "${id}" has no image ${index}`);
        return bytes;
      },
      mask: (index) => load(`${index}.mask.png`),
    };
  }

  /** Pictures of all identities together. */
  get pictures(): number {
    let count = 0;
    for (const files of this.#files.values()) for (const name of files.keys()) if (/^\d+\.jpg$/.test(name)) count++;
    return count;
  }

  /** Bytes of all their files together. */
  get bytes(): number {
    let bytes = 0;
    for (const files of this.#files.values()) for (const { size } of files.values()) bytes += size;
    return bytes;
  }

  /** Name of an identity's first picture that has no mask beside it; nothing is read. */
  withoutMask(id: string): string | undefined {
    const files = this.#files.get(id) ?? new Map();
    const pictures = [...files.keys()].filter((name) => /^\d+\.jpg$/.test(name));
    const bare = pictures.find((name) => !files.has(name.replace(/jpg$/, "mask.png")));
    return bare && `${id}.${bare}`;
  }

  /** An identity with the bytes of all its files, as it can be written into another shard. */
  sample(id: string): Promise<ShardSample> {
    const files = this.#files.get(id);
    if (!files) throw new Error(`${this.folder}: no identity "${id}"`);
    return sampleOf(`${this.folder}: ${id}`, files);
  }
}
