import { createHash } from "node:crypto";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { KeyedRandom, LoadedIdentity, ShardSet } from "@omni-id/data";
import { ARCFACE_TEMPLATE, cropToFive, fivePoints, loadImage, type Pose, type RgbImage } from "@omni-id/face";
import { cat, loadSafetensors, saveSafetensors, scope, stack, type Tensor, tensor } from "@omni-id/torch";
import { alteredCopy, framedOtherwise, savedAgain } from "../pictures/altered.ts";
import { type FaceCut, faceInput } from "../pictures/face-input.ts";
import { rgbBatch, toUnit } from "../pictures/rgb-batch.ts";
import type { Preset } from "../presets/schema.ts";
import { chunk } from "./chunk.ts";
import { ALTERED, type CutFace, copyPurposes, cutFace, cutScene, randomOf } from "./cut.ts";
import { PEOPLE_PER_PART, People } from "./people.ts";
import type { PeoplePart } from "./prepared-pictures.ts";

/** Raise when crops or maps are computed in another way: caches of the old way are then not used. */
const CACHE_VERSION = 2;
/**
 * Deviation of the random shift of the five points of a training input, in pixels of the 112 px crop. At run time
 * landmarks come from a detector, not from the renderer.
 */
const INPUT_JITTER = 1;
const INPUT_SIDE = 112;

/** The pretrained recogniser: what a photo is described by, whatever the backbone. */
export interface Describer {
  /** Maps of the frozen network, and the face's feature of length 1, `[B, 512]`, of ArcFace crops in [−1, 1]. */
  describe(photos: Tensor): { maps: Tensor; feature: Tensor };
}

/** What preparing asks of the image-feature network. */
export interface PhotoBackbone extends FaceCut, Partial<Describer> {
  /** What the maps are computed by: caches of them are named by it. */
  readonly fingerprint: string;
  /** Nothing is computed ahead: the maps are the photos, which are kept as bytes, and not at all where the crops are the same. */
  readonly mapsArePhotos?: boolean;
  /** Photos `[B, 3, S, S]` in [−1, 1] to what is computed once, `[B, …]`, without gradient. */
  maps(photos: Tensor): Tensor;
}

/** One of `count` processes. */
export interface Turn {
  rank: number;
  count: number;
}

/**
 * Aligned faces of all pictures; the whole of those that are scenes; or aligned faces of those that are none, which beside
 * the scenes are other photos of the same people.
 */
export type PicturesTaken = Preset["flow"]["pictures"] | "portraits";

export interface PrepareOptions {
  shards: ShardSet;
  /** Which identities of the set, in order. */
  ids: readonly string[];
  backbone: PhotoBackbone;
  /** Loads the recogniser; called where the backbone is another network and something is left to prepare. */
  recogniser: () => Describer;
  /** Side of the aligned crops, in pixels. */
  imageSize: number;
  /** What is taken of a person's pictures; "faces" when absent. */
  pictures?: PicturesTaken;
  /** Whose masks are taken: see the preset's `faceMask`. */
  faceMask: Preset["faceMask"];
  /** Folder that caches live in. */
  cache: string;
  /** Shift the landmarks of the inputs a little: for training people. */
  jitter: boolean;
  /** An altered copy beside the only photo of those who have one. */
  alterSingles?: boolean;
  /** Altered copies of every photo, behind a person's photos; none when absent. */
  copies?: number;
  /** Of processes that divide the parts among them, which this is; it prepares its own ones alone. */
  turn?: Turn;
  onProgress?: (done: number, total: number) => void;
}

/**
 * Crops, masks and backbone maps of a set of identities, computed once and kept. The cache's folder is named by a
 * hash of all that went in (the shards' contents as their headers tell, the identities, crop sizes, the recogniser),
 * so a stale cache is never read; parts that an interrupted run finished are used again.
 */
export function preparePeople(options: PrepareOptions): Promise<People> {
  return prepareJoined([{ options, weight: 1 }]);
}

/** The people of several sets, one set after the other, each drawn from as often as it weighs. */
export async function prepareJoined(sets: readonly { options: PrepareOptions; weight: number }[]): Promise<People> {
  const ids: string[] = [];
  const counts: number[] = [];
  const altered: boolean[] = [];
  const parts: PeoplePart[] = [];
  for (const { options } of sets) {
    const files = await prepareParts(options);
    for (const [number, some] of chunk(options.ids, PEOPLE_PER_PART).entries()) {
      const { tensors, metadata } = loadSafetensors(files[number]);
      const told = (json: string | undefined) => JSON.parse(json ?? "[]") as never;
      parts.push({ tensors, captions: told(metadata.captions), wordings: told(metadata.wordings) });
      const own = countsOf(metadata.counts, tensors, some.length);
      counts.push(...own);
      altered.push(...own.map((count) => isAltered(options, count)));
    }
    ids.push(...options.ids);
  }
  const shares = sets.map(({ options, weight }) => ({ people: options.ids.length, weight }));
  return People.from(ids, counts, parts, { altered, shares, copies: copiesIn(sets[0].options) });
}

/** Photos of each person of a part; parts of older versions have equally many of everybody. */
function countsOf(stored: string | undefined, part: ReadonlyMap<string, Tensor>, people: number): number[] {
  if (stored) return JSON.parse(stored) as number[];
  return new Array<number>(people).fill((part.get("crops")?.shape[0] ?? 0) / people);
}

/** The same without opening what was prepared: returns the cache's files, in order. */
export async function prepareParts(options: PrepareOptions): Promise<string[]> {
  const { shards, ids, backbone, imageSize, faceMask, cache, jitter, alterSingles, turn, onProgress } = options;
  if (ids.length === 0) throw new Error(`${shards.folder}: no identities for this part of the split`);
  if (faceMask === "segmentation") checkMasks(shards, ids);
  const key = createHash("sha256")
    .update(JSON.stringify([CACHE_VERSION, shards.fingerprint, ids, imageSize, jitter && INPUT_JITTER]))
    .update(alterSingles ? "altered" : "")
    .update(copiesIn(options) > 0 ? `${copiesIn(options)} copies` : "")
    .update(options.pictures === undefined || options.pictures === "faces" ? "" : options.pictures)
    .update(backbone.fingerprint)
    .digest("hex")
    .slice(0, 16);
  const folder = join(cache, `people-${key}`);
  mkdirSync(folder, { recursive: true });

  let recogniser: Describer | undefined = describes(backbone) ? backbone : undefined;
  const files: string[] = [];
  for (const [number, part] of chunk(ids, PEOPLE_PER_PART).entries()) {
    const file = join(folder, `part-${String(number).padStart(4, "0")}.safetensors`);
    const own = !turn || number % turn.count === turn.rank;
    if (own && !existsSync(file)) {
      recogniser ??= options.recogniser();
      await preparePart(file, part, options, recogniser);
      onProgress?.(number * PEOPLE_PER_PART + part.length, ids.length);
    }
    files.push(file);
  }
  return files;
}

/** Where every picture has its mask beside it, both rules give the same: they share a cache. */
export function checkMasks(shards: ShardSet, ids: readonly string[]): void {
  for (const id of ids) {
    const picture = shards.withoutMask(id);
    if (picture === undefined) continue;
    const remedy = "put masks beside the pictures, or draw them from landmarks: --set faceMask=outline-skin";
    throw new Error(`${shards.folder}: ${picture} has no mask, and the preset wants segmentation masks; ${remedy}`);
  }
}

function describes(backbone: PhotoBackbone): backbone is PhotoBackbone & Describer {
  return backbone.describe !== undefined;
}

async function preparePart(
  file: string,
  ids: readonly string[],
  options: PrepareOptions,
  recogniser: Describer,
): Promise<void> {
  const { shards, backbone, imageSize } = options;
  const rows: PreparedImage[] = [];
  const counts: number[] = [];
  for (const id of ids) {
    const record = await shards.read(id);
    const wanted = picturesOf(record, options);
    counts.push(wanted.length);
    for (const index of wanted) rows.push(await prepareImage(record, index, options));
    if (isAltered(options, wanted.length)) rows.push(await prepareImage(record, wanted[0], options, single(id)));
    for (const index of wanted) {
      for (let copy = 0; copy < copiesIn(options); copy++) {
        rows.push(await prepareImage(record, index, options, copyOf(id, index, copy)));
      }
    }
  }
  scope(() => {
    const described = chunk(rows, 32).map((some) =>
      scope(() => {
        const { maps, feature } = recogniser.describe(toUnit(rgbBatch(some.map((row) => row.arcface))));
        if (describes(backbone)) return { maps: maps.half(), feature };
        if (backbone.mapsArePhotos) return { feature };
        return { maps: backbone.maps(toUnit(rgbBatch(some.map((row) => row.input)))).half(), feature };
      }),
    );
    const maps = described.flatMap((some) => (some.maps ? [some.maps] : []));
    const kept = backbone.mapsArePhotos && !sameCut(backbone, imageSize);
    const tensors = {
      ...(maps.length > 0 && { maps: cat(maps) }),
      ...(kept && { photos: rgbBatch(rows.map((row) => row.input)) }),
      features: cat(described.map((some) => some.feature)),
      crops: rgbBatch(rows.map((row) => row.crop)),
      masks: stack(rows.map((row) => tensor(row.mask, { shape: [imageSize, imageSize] }))),
      points: stack(rows.map((row) => tensor(fivePoints(row.landmarks), { shape: [5, 2] }))),
      landmarks: stack(rows.map((row) => tensor(row.landmarks, { shape: [68, 2] }))),
      poses: stack(rows.map((row) => tensor([row.pose.yaw, row.pose.pitch, row.pose.roll]))),
    };
    saveSafetensors(file, tensors, {
      metadata: {
        captions: JSON.stringify(rows.map((row) => row.caption)),
        counts: JSON.stringify(counts),
        ...(options.pictures === "scenes" ? { wordings: JSON.stringify(rows.map((row) => row.wordings)) } : {}),
      },
    });
  });
}

/** Numbers of a person's pictures that are prepared. @throws when scenes or portraits are wanted and there are none */
function picturesOf({ id, images }: LoadedIdentity, { pictures, shards }: PrepareOptions): number[] {
  const all = [...images.keys()];
  if (pictures !== "scenes" && pictures !== "portraits") return all;
  const wanted = all.filter((index) => (images[index].scene !== undefined) === (pictures === "scenes"));
  if (wanted.length > 0) return wanted;
  throw new Error(
    pictures === "scenes"
      ? `${shards.folder}: ${id} has no scenes, and the preset draws them; render some: omni-id data synth --scenes`
      : `${shards.folder}: ${id} has scenes only, and no other photo to tell the face by; render some: omni-id data synth --scenes --images 4`,
  );
}

/** Whether a backbone's view of a photo is the decoders'. */
const sameCut = ({ crop, inputSize }: FaceCut, imageSize: number) => crop === "aligned" && inputSize === imageSize;

interface PreparedImage extends CutFace {
  /** What the recogniser sees, 112 px. */
  arcface: RgbImage;
  /** What the backbone sees. */
  input: RgbImage;
  pose: Pose;
  caption: string;
  /** All that the caption may be, where there are several. */
  wordings: string[];
}

/** How a copy of a photo differs from it. */
interface Copy {
  alter(photo: RgbImage): Promise<RgbImage>;
  /** Draws of how its face is framed; as in the photo where absent. */
  framed?: KeyedRandom;
  /** Purpose of the draws of its landmarks' shift. */
  jitter: number;
}

/** What the only photo of a person is made from. */
const single = (id: string): Copy => ({
  alter: (photo) => alteredCopy(photo, randomOf(id, ALTERED)),
  jitter: ALTERED + 1,
});

/** What stands for a photo among the inputs. */
function copyOf(id: string, image: number, copy: number): Copy {
  const { recorded, framed } = copyPurposes(image, copy);
  return { alter: (photo) => savedAgain(photo, randomOf(id, recorded)), framed: randomOf(id, framed), jitter: framed };
}

/** Whether an altered copy stands behind a person's only picture. Scenes are no inputs. */
const isAltered = ({ alterSingles = false, pictures }: PrepareOptions, count: number): boolean =>
  alterSingles && pictures !== "scenes" && count === 1;

/** Scenes are no inputs. */
const copiesIn = ({ copies = 0, pictures }: PrepareOptions): number => (pictures === "scenes" ? 0 : copies);

async function prepareImage(
  record: LoadedIdentity,
  index: number,
  { backbone, imageSize: size, jitter, pictures }: PrepareOptions,
  copy?: Copy,
): Promise<PreparedImage> {
  const name = `${record.id}.${index}.jpg`;
  const photo = await loadImage(await record.image(index), { name });
  const image = copy ? await copy.alter(photo) : photo;
  const { pose, caption, captions = [], landmarks: placed } = record.images[index];
  const landmarks = copy?.framed ? framedOtherwise(placed, copy.framed) : placed;
  const five = fivePoints(landmarks);
  const told = { landmarks, mask: await record.mask(index), name: `${record.id}.${index}.mask.png` };
  const cut = await (pictures === "scenes" ? cutScene : cutFace)(image, told, size);
  const seen = jitter ? shifted(five, randomOf(record.id, copy?.jitter ?? index)) : five;
  const arcface = cropToFive(image, seen, ARCFACE_TEMPLATE, INPUT_SIDE).image;
  return {
    arcface,
    input: backbone.crop === "arcface" ? arcface : faceInput(backbone, image, landmarks),
    ...cut,
    pose,
    caption,
    wordings: captions,
  };
}

/** Five points moved by about a pixel of the crop, always the same way for the same image. */
function shifted(five: Float32Array, random: KeyedRandom): Float32Array {
  const [eyes, mouth] = [0, 6].map((k) => [(five[k] + five[k + 2]) / 2, (five[k + 1] + five[k + 3]) / 2]);
  const templateLength = ARCFACE_TEMPLATE[7] - ARCFACE_TEMPLATE[1];
  const scale = Math.hypot(eyes[0] - mouth[0], eyes[1] - mouth[1]) / templateLength;
  return five.map((value) => value + random.normal() * INPUT_JITTER * scale);
}
