import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { fromTypedArray, saveSafetensors, scope, writeAtomically } from "@omni-id/torch";
import { pack } from "tar-stream";
import { readHeaders } from "../tar.ts";
import { type IndexNotes, indexFile, MANIFEST, type PreparedManifest, parseManifest, shardFile } from "./format.ts";

/** A picture of a person, cut and encoded. */
export interface CutPicture {
  /** Bytes of the JPEG and of the mask's PNG, by size. */
  files: Readonly<Record<number, { crop: Uint8Array; mask: Uint8Array }>>;
  /** 136 numbers; the crop is 1 wide. */
  landmarks: Float32Array;
  /** Yaw, pitch, roll, degrees. */
  pose: readonly number[];
  caption: string;
  /** For each patch of the mask, 1 where it touches the face. */
  face: Uint8Array;
}

/** A person as a prepared set keeps one; the altered copy last. */
export interface CutPerson {
  id: string;
  pictures: readonly CutPicture[];
  altered: boolean;
}

export function writeManifest(folder: string, manifest: PreparedManifest): void {
  mkdirSync(folder, { recursive: true });
  writeAtomically(join(folder, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** What a folder says of the set in it; undefined where there is none. @throws when it is of another version */
export function readManifest(folder: string): PreparedManifest | undefined {
  const path = join(folder, MANIFEST);
  return existsSync(path) ? parseManifest(path, readFileSync(path, "utf8")) : undefined;
}

/** Whether a shard was written to its end. */
export const isWritten = (folder: string, shard: number): boolean => existsSync(join(folder, indexFile(shard)));

/** Writes a shard at every size, then its index. Each file appears by rename; the same people give the same bytes. */
export async function writePreparedShard(
  folder: string,
  shard: number,
  people: readonly CutPerson[],
  { sizes }: Pick<PreparedManifest, "sizes">,
): Promise<void> {
  const pictures = people.flatMap((person) => person.pictures);
  const hashes: Record<string, string> = {};
  const places: Record<string, Int32Array> = {};
  for (const size of sizes) {
    const path = join(folder, shardFile(size, shard));
    mkdirSync(dirname(path), { recursive: true });
    await writeTar(path, people, size);
    const entries = await readHeaders(path);
    // Crop and mask of each picture follow each other.
    places[`places.${size}`] = Int32Array.from(entries.flatMap(({ offset, size: bytes }) => [offset, bytes]));
    hashes[size] = await sha256(path);
  }
  const notes: IndexNotes = {
    ids: people.map(({ id }) => id),
    counts: people.map((person) => person.pictures.length - (person.altered ? 1 : 0)),
    altered: people.map(({ altered }) => altered),
    captions: pictures.map(({ caption }) => caption),
    hashes,
  };
  const path = join(folder, indexFile(shard));
  mkdirSync(dirname(path), { recursive: true });
  const bits = pictures.map(({ face }) => packed(face));
  scope(() => {
    const rows = pictures.length;
    const tensors = {
      landmarks: fromTypedArray(joinFloats(pictures.map(({ landmarks }) => landmarks)), [rows, 68, 2]),
      poses: fromTypedArray(Float32Array.from(pictures.flatMap(({ pose }) => [...pose])), [rows, 3]),
      face: fromTypedArray(Uint8Array.from(Buffer.concat(bits)), [rows, bits[0].length]),
      ...Object.fromEntries(Object.entries(places).map(([key, list]) => [key, fromTypedArray(list, [rows, 4])])),
    };
    const metadata = Object.fromEntries(Object.entries(notes).map(([key, value]) => [key, JSON.stringify(value)]));
    saveSafetensors(path, tensors, { metadata });
  });
}

async function writeTar(path: string, people: readonly CutPerson[], size: number): Promise<void> {
  const archive = pack();
  const add = (name: string, bytes: Uint8Array) => archive.entry({ name, mtime: new Date(0) }, Buffer.from(bytes));
  for (const { id, pictures } of people) {
    for (const [i, { files }] of pictures.entries()) {
      add(`${id}.${i}.jpg`, files[size].crop);
      add(`${id}.${i}.mask.png`, files[size].mask);
    }
  }
  archive.finalize();
  writeAtomically(path, (await Readable.from(archive).toArray()) as Buffer[]);
}

/** Eight to a byte, the first one lowest. */
function packed(bits: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  for (const [i, bit] of bits.entries()) bytes[i >> 3] |= bit << (i & 7);
  return bytes;
}

function joinFloats(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(file)) hash.update(part as Buffer);
  return hash.digest("hex");
}
