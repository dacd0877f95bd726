import { createHash } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { type IdentityRecord, parseIdentity } from "./identity.ts";

/** A file inside a shard. */
interface Entry {
  shard: string;
  offset: number;
  size: number;
}

/** An identity as read from its shard. */
export interface LoadedIdentity extends IdentityRecord {
  /** Encoded bytes of an image. */
  image(index: number): Promise<Uint8Array>;
  /** Encoded bytes of its face mask, if there is one. */
  mask(index: number): Promise<Uint8Array | undefined>;
}

const BLOCK = 512;

/** A folder of WebDataset shards with random access by identity. Opening reads the headers only. */
export class ShardSet {
  readonly folder: string;
  /** Identities in the order of the shards. */
  readonly ids: readonly string[];
  /** A hash of all names, places and sizes: changes when the set does. */
  readonly fingerprint: string;
  readonly #files: ReadonlyMap<string, ReadonlyMap<string, Entry>>;

  private constructor(folder: string, files: ReadonlyMap<string, ReadonlyMap<string, Entry>>, fingerprint: string) {
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
    const files = new Map<string, Map<string, Entry>>();
    const hash = createHash("sha256");
    for (const name of shards) {
      const shard = join(folder, name);
      const homes = new Set<string>();
      for (const { path, offset, size } of await readHeaders(shard)) {
        hash.update(`${name}\0${path}\0${offset}\0${size}\n`);
        const base = path.slice(path.lastIndexOf("/") + 1);
        const dot = base.indexOf(".");
        if (dot < 1) continue;
        const id = base.slice(0, dot);
        if (files.has(id) && !homes.has(id)) {
          throw new Error(`${shard}: identity "${id}" stands in an earlier shard too; remove one of the two`);
        }
        homes.add(id);
        const own = files.get(id) ?? new Map<string, Entry>();
        own.set(base.slice(dot + 1), { shard, offset, size });
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
}

async function readEntry({ shard, offset, size }: Entry): Promise<Uint8Array> {
  const file = await open(shard);
  try {
    return await readAt(file, offset, size);
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, offset: number, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  for (let done = 0; done < size; ) {
    const { bytesRead } = await file.read(bytes, done, size - done, offset + done);
    if (bytesRead === 0) throw new Error("the file ends too early");
    done += bytesRead;
  }
  return bytes;
}

/** Names, places and sizes of a tar file's entries (POSIX ustar; long names by pax are skipped over, ours are short). */
async function readHeaders(shard: string): Promise<{ path: string; offset: number; size: number }[]> {
  const { size: length } = statSync(shard);
  const damaged = (what: string) =>
    new Error(`${shard}: ${what}; the shard is damaged or cut off: delete it and run the command that made it again`);
  const entries: { path: string; offset: number; size: number }[] = [];
  const file = await open(shard);
  try {
    for (let at = 0; ; ) {
      if (at + BLOCK > length) throw damaged("it has no end mark");
      const header = await readAt(file, at, BLOCK);
      if (header.every((byte) => byte === 0)) return entries;
      if (!checksumFits(header)) throw damaged(`no valid header at byte ${at}`);
      const size = Number.parseInt(text(header, 124, 12), 8);
      const offset = at + BLOCK;
      if (!Number.isSafeInteger(size) || offset + size > length)
        throw damaged(`an entry at byte ${at} reaches beyond its end`);
      const prefix = text(header, 345, 155);
      if (header[156] === 0x30 || header[156] === 0) {
        entries.push({ path: prefix ? `${prefix}/${text(header, 0, 100)}` : text(header, 0, 100), offset, size });
      }
      at = offset + Math.ceil(size / BLOCK) * BLOCK;
    }
  } finally {
    await file.close();
  }
}

function text(header: Buffer, offset: number, length: number): string {
  const field = header.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? length : end).trim();
}

function checksumFits(header: Buffer): boolean {
  const claimed = Number.parseInt(text(header, 148, 8), 8);
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : header[i];
  return sum === claimed;
}
