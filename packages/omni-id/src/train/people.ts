import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { IdentityRecord, ShardSet } from "@omni-id/data";
import { alignedCrop, arcfaceCrop, decodeImage, fivePoints, type RgbImage } from "@omni-id/face";
import { cat, loadSafetensors, saveSafetensors, scope, stack, type Tensor, tensor } from "@omni-id/torch";
import type { RecogniserBackbone } from "../backbones/recogniser.ts";
import { KeyedRandom } from "@omni-id/data";

/** Raise when crops or maps are computed in another way: caches of the old way are then not used. */
const CACHE_VERSION = 1;
const PEOPLE_PER_PART = 64;
/**
 * Deviation of the random shift of the five points of a training input, in pixels of the 112 px crop. At run time
 * landmarks come from a detector, not from the renderer.
 */
const INPUT_JITTER = 1;

/**
 * Identities with everything that a step needs at hand: aligned target crops and masks in memory, the frozen
 * backbone's maps in memory-mapped files. Row `person · images + image` is one image.
 */
export class People {
  readonly ids: readonly string[];
  /** Images of each person. */
  readonly images: number;
  /** Aligned crops, `[rows, 3, S, S]` uint8. */
  readonly crops: Tensor;
  /** Face masks of the crops, 0 or 1, `[rows, S, S]` uint8. */
  readonly masks: Tensor;
  /** Five landmarks in pixels of the crop, `[rows, 5, 2]` float32. */
  readonly points: Tensor;
  /** The recogniser's feature of each image, of length 1, `[rows, 512]` float32. */
  readonly features: Tensor;
  readonly #maps: Tensor[];

  constructor(ids: readonly string[], images: number, parts: readonly Map<string, Tensor>[]) {
    const joined = (key: string) => scope(() => cat(parts.map((part) => take(part, key)))).keep();
    this.ids = ids;
    this.images = images;
    this.crops = joined("crops");
    this.masks = joined("masks");
    this.points = joined("points");
    this.features = joined("features");
    this.#maps = parts.map((part) => take(part, "maps").keep());
  }

  /** The frozen backbone's maps of some rows, `[rows, tokens, channels]` float16. */
  maps(rows: readonly number[]): Tensor {
    const size = PEOPLE_PER_PART * this.images;
    return scope(() => stack(rows.map((row) => this.#maps[Math.floor(row / size)].select(0, row % size))));
  }

  rowsOf(person: number): number[] {
    return Array.from({ length: this.images }, (_, image) => person * this.images + image);
  }

  /** What to call a row in a message. */
  nameOf(row: number): string {
    return `${this.ids[Math.floor(row / this.images)]}.${row % this.images}`;
  }
}

function take(part: Map<string, Tensor>, key: string): Tensor {
  const found = part.get(key);
  if (!found) throw new Error(`the cache of prepared people lacks "${key}"; delete its folder and run again`);
  return found;
}

export interface PrepareOptions {
  shards: ShardSet;
  /** Which identities of the set, in order. */
  ids: readonly string[];
  backbone: RecogniserBackbone;
  imageSize: number;
  /** Folder that caches live in. */
  cache: string;
  /** Shift the landmarks of the inputs a little: for training people. */
  jitter: boolean;
  onProgress?: (done: number, total: number) => void;
}

/**
 * Crops, masks and backbone maps of a set of identities, computed once and kept. The cache's folder is named by a
 * hash of all that went in (the shards' bytes as their index tells, the identities, crop sizes, the recogniser), so a
 * stale cache is never read; parts that an interrupted run finished are used again.
 */
export async function preparePeople(options: PrepareOptions): Promise<People> {
  const { shards, ids, backbone, imageSize, cache, jitter, onProgress } = options;
  const key = createHash("sha256")
    .update(JSON.stringify([CACHE_VERSION, shards.fingerprint, ids, imageSize, jitter && INPUT_JITTER]))
    .update(backbone.fingerprint)
    .digest("hex")
    .slice(0, 16);
  const folder = join(cache, `people-${key}`);
  mkdirSync(folder, { recursive: true });

  const parts: Map<string, Tensor>[] = [];
  let images = 0;
  for (let from = 0; from < ids.length; from += PEOPLE_PER_PART) {
    const part = ids.slice(from, from + PEOPLE_PER_PART);
    const file = join(folder, `part-${String(from / PEOPLE_PER_PART).padStart(4, "0")}.safetensors`);
    if (!existsSync(file)) await preparePart(file, part, options);
    const { tensors } = loadSafetensors(file);
    parts.push(tensors);
    images = take(tensors, "crops").shape[0] / part.length;
    onProgress?.(from + part.length, ids.length);
  }
  if (parts.length === 0) throw new Error(`no identities to prepare (${folder})`);
  return new People(ids, images, parts);
}

async function preparePart(file: string, ids: readonly string[], options: PrepareOptions): Promise<void> {
  const { shards, backbone, imageSize, jitter } = options;
  const rows: PreparedImage[] = [];
  for (const id of ids) {
    const record = await shards.read(id);
    for (const index of record.images.keys()) rows.push(await prepareImage(record, index, imageSize, jitter));
  }
  scope(() => {
    const inputs = cat(
      chunks(rows, 32).map((some) => scope(() => backbone.describe(toBatch(some.map((row) => row.input))).half())),
    );
    const features = cat(
      chunks(rows, 32).map((some) => scope(() => backbone.feature(toBatch(some.map((row) => row.input))))),
    );
    const side = imageSize;
    saveSafetensors(file, {
      maps: inputs,
      features,
      crops: stack(rows.map(({ crop }) => fromRgb(crop))),
      masks: stack(rows.map(({ mask }) => tensor(mask, { shape: [side, side] }))),
      points: stack(rows.map(({ points }) => tensor(points, { shape: [5, 2] }))),
    });
  });
}

interface PreparedImage {
  input: RgbImage;
  crop: RgbImage;
  mask: Uint8Array;
  points: Float32Array;
}
