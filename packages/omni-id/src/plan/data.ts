import { join } from "node:path";
import { isPrepared, NANO_RECIPE, PreparedSet, ShardSet } from "@omni-id/data";
import type { Preset } from "../presets/schema.ts";
import { takesPublished } from "../weights/flow.ts";
import type { StageName } from "./open-blank.ts";

/** The people that a plan is for. */
export interface PlannedData {
  people: number;
  pictures: number;
  /** Bytes of the shards; of people who are not there yet, unknown. */
  bytes?: number;
  /** Pictures come step by step, instead of lying in memory all at once. */
  streamed: boolean;
}

/** MFHQ (section 3.4). */
const MFHQ = { people: 134_077, photos: 8 };

/** Bytes of a JPEG or of a mask, from its pixels: about two bits each. For pictures that are not there yet. */
const jpegBytes = (side: number): number => side ** 2 / 4;

/** What a preset is made for, where nobody says which people: MFHQ, or nano's rendered ones. */
export function usualData(preset: Preset, given: { people?: number; photos?: number } = {}): PlannedData {
  const published = takesPublished(preset);
  const usual = published ? MFHQ : { people: NANO_RECIPE.identities, photos: NANO_RECIPE.images };
  const { people = usual.people, photos = usual.photos } = given;
  return { people, pictures: people * photos, streamed: published };
}

/**
 * Counts the people of folders of shards, whose pictures lie in memory, or of prepared sets, which are streamed.
 * @param cache where the indices of sets that lie elsewhere are kept
 * @throws when a folder has none
 */
export async function countData(places: readonly string[], cache: string): Promise<PlannedData> {
  const counts = await Promise.all(
    places.map(async (place) => {
      if (!isPrepared(place)) return ShardSet.open(place);
      const { ids, rows: pictures } = await PreparedSet.open(place, { cache: join(cache, "streamed") });
      return { ids, pictures, bytes: undefined };
    }),
  );
  const sum = (of: (one: (typeof counts)[number]) => number) => counts.reduce((all, one) => all + of(one), 0);
  return {
    people: sum(({ ids }) => ids.length),
    pictures: sum(({ pictures }) => pictures),
    bytes: counts.every(({ bytes }) => bytes !== undefined) ? sum(({ bytes = 0 }) => bytes) : undefined,
    streamed: places.every((place) => isPrepared(place)),
  };
}

/** Bytes of a picture as a stage reads it. */
export function readBytes({ mtd, flow }: Preset, name: StageName, { pictures, bytes }: PlannedData): number {
  return bytes === undefined ? jpegBytes(name === "mtd" ? mtd.imageSize : flow.imageSize) : bytes / pictures;
}

/** Pictures of a step: what goes into the encoder, and what is drawn. The number of inputs is the mean of the preset's. */
export function picturesOf({ mtd, flow }: Preset, name: StageName): { inputs: number; targets: number } {
  const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
  if (name === "base") return { inputs: 0, targets: flow.base.batch };
  if (name === "control") {
    const { batch, identity } = flow.control;
    return { inputs: 3 * identity * batch, targets: batch };
  }
  const { batch, inputs, targets } = name === "mtd" ? mtd : flow.adapter;
  return { inputs: batch * mean(inputs), targets: batch * targets };
}

/** Bytes of pictures on one device: all of them, or of a step and of the one that is fetched ahead. */
export function pictureMemory(preset: Preset, name: StageName, data: PlannedData, devices: number): number {
  const side = name === "mtd" ? preset.mtd.imageSize : preset.flow.imageSize;
  // Colours and a mask, five points, and the recogniser's feature.
  if (!data.streamed) return data.pictures * (4 * side ** 2 + 4 * 10 + 4 * 512);
  const { inputs, targets } = picturesOf(preset, name);
  const seen = preset.backbone.kind === "clip" ? 3 * preset.backbone.imageSize ** 2 : 0;
  return (2 * (targets * 4 * side ** 2 + inputs * seen)) / devices;
}

/** Bytes of what is prepared once: of a frozen backbone its maps too. */
export function preparedBytes({ backbone, mtd, flow }: Preset, { pictures, streamed }: PlannedData): number {
  const sides = [...new Set([mtd.imageSize, flow.imageSize])];
  if (streamed) return pictures * sides.reduce((sum, side) => sum + jpegBytes(side), 0);
  const maps = 2 * (backbone.kind === "clip" ? 3 * backbone.imageSize ** 2 : 49 * 1024);
  return pictures * sides.reduce((sum, side) => sum + maps + 4 * side ** 2, 0);
}
