import { join } from "node:path";
import { PreparedSet } from "@omni-id/data";
import { onDevice, scope, stack, type Tensor, tensor } from "@omni-id/torch";
import { chunk } from "./chunk.ts";
import { People, type PeopleList } from "./people.ts";
import type { PeoplePart } from "./prepared-pictures.ts";
import { pointsTensor } from "./prepared-pictures.ts";
import { StreamedPictures, type StreamTools } from "./streamed-pictures.ts";

export interface OpenStreamedOptions {
  /** Folders or addresses of prepared sets. */
  data: readonly string[];
  /** How often each is drawn from; where absent, by its people. */
  weight?: readonly number[];
  cache: string;
  /** Sides of the decoders' pictures and of the backbone's, in pixels. */
  sides: { crops: number; maps: number };
  tools: StreamTools;
}

export interface StreamedPeople {
  people: People;
  /** Few enough to lie at hand. */
  validation: People | undefined;
  held: number;
}

/** People that a step fetches at once while those of validation are loaded. */
const AT_ONCE = 16;

/** The people of prepared sets: those trained on are streamed, those watched are loaded. */
export async function openStreamed(options: OpenStreamedOptions): Promise<StreamedPeople> {
  const { data, weight, cache } = options;
  const sets = await Promise.all(data.map((place) => PreparedSet.open(place, { cache: join(cache, "streamed") })));
  const splits = sets.map(({ manifest, ids }) => {
    const [validation, test] = [new Set(manifest.split.validation), new Set(manifest.split.test)];
    return {
      train: [...ids.keys()].filter((person) => !validation.has(ids[person]) && !test.has(ids[person])),
      validation: [...ids.keys()].filter((person) => validation.has(ids[person])),
      held: test.size,
    };
  });
  const train = splits.map((split) => split.train);
  const watched = splits.map((split) => split.validation);
  const people = part(sets, train, weight, options);
  return {
    people: People.streamed(people.list, people.pictures, people.pictures),
    validation: watched.flat().length > 0 ? await loaded(part(sets, watched, undefined, options)) : undefined,
    held: splits.reduce((sum, { held }) => sum + held, 0),
  };
}

interface PeopleOfSets {
  list: PeopleList;
  pictures: StreamedPictures;
}

/** Some people of each set, one set after the other. */
function part(
  sets: readonly PreparedSet[],
  chosen: readonly (readonly number[])[],
  weight: readonly number[] | undefined,
  { sides, tools }: OpenStreamedOptions,
): PeopleOfSets {
  const all = sets.flatMap((set, number) => chosen[number].map((person) => ({ set, number, person })));
  const rows = all.flatMap(({ set, number, person }) => {
    const count = set.counts[person] + (set.altered[person] ? 1 : 0);
    return Array.from({ length: count }, (_, i) => ({ number, row: set.firstRows[person] + i }));
  });
  const list: PeopleList = {
    ids: all.map(({ set, person }) => set.ids[person]),
    counts: all.map(({ set, person }) => set.counts[person]),
    altered: all.map(({ set, person }) => set.altered[person]),
    shares: chosen.map((some, number) => ({ people: some.length, weight: weight?.[number] ?? some.length })),
  };
  const where = {
    sets,
    set: Uint8Array.from(rows, ({ number }) => number),
    row: Int32Array.from(rows, ({ row }) => row),
  };
  return { list, pictures: new StreamedPictures(where, sides, tools) };
}

/** The same people with their pictures at hand. */
async function loaded({ list, pictures }: PeopleOfSets): Promise<People> {
  const { ids, counts, altered = [], shares } = list;
  const parts: PeoplePart[] = [];
  let next = 0;
  for (const some of chunk([...ids.keys()], AT_ONCE)) {
    const count = some.reduce((sum, person) => sum + counts[person] + (altered[person] ? 1 : 0), 0);
    const rows = Array.from({ length: count }, () => next++);
    using fetched = await pictures.fetch({ crops: rows, masks: rows, maps: rows });
    const tensors = scope(
      () =>
        new Map<string, Tensor>([
          ["crops", fetched.cropsOf(rows).to("cpu")],
          ["masks", fetched.masksOf(rows).to("cpu")],
          ["photos", fetched.photosOf(rows).to("cpu")],
          ...onDevice("cpu", (): [string, Tensor][] => [
            ["points", pointsTensor(pictures, rows)],
            ["landmarks", stack(rows.map((row) => tensor(pictures.landmarks(row), { shape: [68, 2] })))],
            ["poses", stack(rows.map((row) => tensor(poseOf(pictures, row))))],
          ]),
        ]),
    );
    parts.push({ tensors, captions: rows.map((row) => pictures.captions[row]) });
  }
  return People.from(ids, counts, parts, { altered, shares });
}

function poseOf(pictures: StreamedPictures, row: number): number[] {
  const { yaw, pitch, roll } = pictures.pose(row);
  return [yaw, pitch, roll];
}
