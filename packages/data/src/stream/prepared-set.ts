import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Pose } from "@omni-id/face";
import { openSafetensors, writeAtomically } from "@omni-id/torch";
import { type IndexNotes, indexFile, MANIFEST, type PreparedManifest, parseManifest, shardFile } from "./format.ts";
import type { PictureEntry } from "./picture-loader.ts";
import { type Origin, originOf, Place } from "./place.ts";
import type { Patience } from "./remote.ts";

/** Indices that are fetched at once. */
const AT_ONCE = 8;

interface Shard extends IndexNotes {
  /** Number of its first row in the set. */
  first: number;
  rows: number;
  landmarks: Float32Array;
  poses: Float32Array;
  face: Uint8Array;
  places: ReadonlyMap<number, Int32Array>;
}

export interface OpenPreparedOptions {
  /** Folder for what is brought here from elsewhere. */
  cache: string;
  patience?: Partial<Patience>;
}

/** Whether a place is an address, or a folder that `data prepare` has written. */
export function isPrepared(place: string): boolean {
  return originOf(place, "").url !== undefined || existsSync(new Place({ folder: place }).path(MANIFEST));
}

/**
 * People whose pictures were cut and encoded ahead: what is known of all of them in memory (mapped from their files), the
 * pictures in shards, here or elsewhere. A row is a picture; rows follow the people, an altered copy behind its own.
 */
export class PreparedSet {
  /** Folder or address. */
  readonly place: string;
  readonly origin: Origin;
  readonly manifest: PreparedManifest;
  readonly ids: readonly string[];
  readonly counts: readonly number[];
  readonly altered: readonly boolean[];
  /** First row of each person. */
  readonly firstRows: readonly number[];
  readonly rows: number;
  readonly #shards: readonly Shard[];

  private constructor(place: string, origin: Origin, manifest: PreparedManifest, shards: readonly Shard[]) {
    this.place = place;
    this.origin = origin;
    this.manifest = manifest;
    this.#shards = shards;
    this.ids = shards.flatMap(({ ids }) => ids);
    this.counts = shards.flatMap(({ counts }) => counts);
    this.altered = shards.flatMap(({ altered }) => altered);
    let row = 0;
    this.firstRows = this.counts.map((count, person) => {
      const first = row;
      row += count + (this.altered[person] ? 1 : 0);
      return first;
    });
    this.rows = row;
  }

  /** @throws one line when a part is missing or damaged, or it is no prepared set */
  static async open(place: string, { cache, patience }: OpenPreparedOptions): Promise<PreparedSet> {
    const origin = originOf(place, cache, patience);
    const files = new Place(origin);
    const manifest = parseManifest(`${place}/${MANIFEST}`, (await files.read(MANIFEST)).toString("utf8"));
    const shards: Shard[] = [];
    const numbers = Array.from({ length: manifest.shards }, (_, shard) => shard);
    await bring(files, manifest, numbers);
    let first = 0;
    for (const shard of numbers) {
      const opened = openIndex(files, place, shard, manifest, first);
      shards.push(opened);
      first += opened.rows;
    }
    const set = new PreparedSet(place, origin, manifest, shards);
    if (set.ids.length !== manifest.people) {
      throw new Error(
        `${place}: ${set.ids.length} people are in its index, ${manifest.people} were prepared; prepare it again`,
      );
    }
    return set;
  }

  /** 68 points of a row's crop, 136 numbers; the crop is 1 wide. */
  landmarks(row: number): Float32Array {
    const { shard, at } = this.#find(row);
    return shard.landmarks.subarray(136 * at, 136 * (at + 1));
  }

  pose(row: number): Pose {
    const { shard, at } = this.#find(row);
    const [yaw, pitch, roll] = shard.poses.subarray(3 * at, 3 * at + 3);
    return { yaw, pitch, roll };
  }

  caption(row: number): string {
    const { shard, at } = this.#find(row);
    return shard.captions[at];
  }

  /** For each patch of a row's mask, as the manifest's `face` says: 1 where it touches the face. */
  face(row: number): Uint8Array {
    const { shard, at } = this.#find(row);
    const { size, patch } = this.manifest.face;
    const tokens = (size / patch) ** 2;
    const bytes = shard.face.subarray(at * Math.ceil(tokens / 8), (at + 1) * Math.ceil(tokens / 8));
    return Uint8Array.from({ length: tokens }, (_, i) => (bytes[i >> 3] >> (i & 7)) & 1);
  }

  /** Where a row's crop of a size lies, or its face mask. @throws when that size was not prepared */
  entry(row: number, size: number, what: "crop" | "mask"): PictureEntry {
    const { shard, at, number } = this.#find(row);
    const places = shard.places.get(size);
    if (!places) throw this.#wrongSize(size);
    const [offset, length] = places.subarray(4 * at + (what === "mask" ? 2 : 0));
    return { shard: shardFile(size, number), offset, size: length };
  }

  /** @throws unless crops of these sizes were prepared */
  checkSizes(...sizes: number[]): void {
    const missing = sizes.find((size) => !this.manifest.sizes.includes(size));
    if (missing !== undefined) throw this.#wrongSize(missing);
  }

  /** SHA-256 of a shard. */
  hash(row: number, size: number): string {
    return this.#find(row).shard.hashes[size];
  }

  #wrongSize(size: number): Error {
    const { sizes } = this.manifest;
    return new Error(
      `${this.place}: prepared at ${sizes.join(" and ")} px, and ${size} px are wanted; prepare it for this preset`,
    );
  }

  #find(row: number): { shard: Shard; at: number; number: number } {
    let [low, high] = [0, this.#shards.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#shards[middle].first <= row) low = middle;
      else high = middle - 1;
    }
    return { shard: this.#shards[low], at: row - this.#shards[low].first, number: low };
  }
}

/** Brings the indices of a set that lies elsewhere here: what is known of its people is read from files. */
async function bring(files: Place, manifest: PreparedManifest, numbers: readonly number[]): Promise<void> {
  const { remote } = files;
  if (!remote) return;
  // Another set may have come to the same address.
  const told = files.path(MANIFEST);
  const text = JSON.stringify(manifest);
  const same = existsSync(told) && readFileSync(told, "utf8") === text;
  const missing = numbers.filter((shard) => !same || !existsSync(files.path(indexFile(shard))));
  const work = async () => {
    for (let shard = missing.pop(); shard !== undefined; shard = missing.pop()) {
      const path = files.path(indexFile(shard));
      mkdirSync(dirname(path), { recursive: true });
      writeAtomically(path, await remote.get(indexFile(shard)));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  mkdirSync(dirname(told), { recursive: true });
  writeAtomically(told, text);
}

function openIndex(files: Place, place: string, number: number, { sizes }: PreparedManifest, first: number): Shard {
  const path = files.path(indexFile(number));
  if (!existsSync(path)) {
    throw new Error(
      `${place}: shard ${number} (${indexFile(number)}) is missing; run the part of \`omni-id data prepare --shard i/n\` that makes it again`,
    );
  }
  const file = openSafetensors(path);
  const note = <K extends keyof IndexNotes>(key: K) => JSON.parse(file.metadata[key] ?? "null") as IndexNotes[K];
  const numbers = (key: string) => file.get(key).data();
  const places = new Map(sizes.map((size) => [size, numbers(`places.${size}`) as Int32Array]));
  const notes = {
    ids: note("ids"),
    counts: note("counts"),
    altered: note("altered"),
    captions: note("captions"),
    hashes: note("hashes"),
  };
  if (Object.values(notes).some((value) => value === null)) {
    throw new Error(`${path}: its notes are incomplete; the file is damaged: prepare or fetch it again`);
  }
  const poses = numbers("poses") as Float32Array;
  const landmarks = numbers("landmarks") as Float32Array;
  return { ...notes, first, rows: poses.length / 3, landmarks, poses, face: numbers("face") as Uint8Array, places };
}
