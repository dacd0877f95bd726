import { isPrepared, ShardSet, splitOf } from "@omni-id/data";
import { LEAST_TESTED, type People } from "./people.ts";
import {
  type Describer,
  type PhotoBackbone,
  type PrepareOptions,
  prepareJoined,
  prepareParts,
  type Turn,
} from "./prepare.ts";
import { openStreamed } from "./streamed-people.ts";
import { type StreamOptions, streamTools } from "./streamed-pictures.ts";

export interface OpenPeopleOptions {
  /** Folders of shards, or folders and addresses of prepared sets. */
  data: readonly string[];
  /** How often each folder is drawn from, over the sum of all; where absent, by its people. */
  weight?: readonly number[];
  /** Folder of prepared people. */
  cache: string;
  /** Side of the aligned crops, in pixels. */
  imageSize: number;
  /** Faces, scenes, or the faces beside the scenes; faces when absent. */
  pictures?: PrepareOptions["pictures"];
  faceMask: PrepareOptions["faceMask"];
  /** An altered copy beside the only photo of training people who have one. */
  alterSingles?: boolean;
  /** Altered copies of every photo of training people; none when absent. */
  copies?: number;
  backbone: PhotoBackbone;
  recogniser: () => Describer;
  /** How prepared sets are streamed. */
  stream?: StreamOptions;
  note: (text: string) => void;
}

/** Who is trained on, and who is watched meanwhile; the test people are not opened. */
export interface OpenedPeople {
  people: People;
  /** Those with photos enough for a test; absent in sets too small to spare any. */
  validation: People | undefined;
}

/** The people of folders of shards, prepared; what was prepared before is used again. */
export async function openPeople(options: OpenPeopleOptions): Promise<OpenedPeople> {
  const streamed = options.data.filter((place) => isPrepared(place));
  if (streamed.length > 0) return openPreparedSets(options, streamed);
  const sets = await setsOf(options);
  const people = await prepareJoined(sets.map(({ train, weight }) => ({ options: train, weight })));
  const watched = sets.flatMap(({ validation }) => (validation.ids.length > 0 ? [validation] : []));
  const validation =
    watched.length > 0 ? await prepareJoined(watched.map((part) => ({ options: part, weight: 1 }))) : undefined;
  const held = sets.reduce((sum, { test }) => sum + test, 0);
  options.note(
    `${people.ids.length} people to train on, ${validation?.ids.length ?? 0} for validation, ${held} held out`,
  );
  for (const { train, weight } of sets.length > 1 ? sets : []) {
    options.note(`${train.shards.folder}: ${train.ids.length} people, weight ${weight}`);
  }
  return { people, validation: tested(validation) };
}

/** The people of sets that were cut and encoded ahead (`omni-id data prepare`). */
async function openPreparedSets(
  { data, weight, cache, imageSize, backbone, copies = 0, stream = { workers: 2, keep: 0 }, note }: OpenPeopleOptions,
  prepared: readonly string[],
): Promise<OpenedPeople> {
  const other = data.find((place) => !prepared.includes(place));
  if (other !== undefined) {
    throw new Error(`${prepared[0]} is a prepared set, and ${other} is none: prepare it too (omni-id data prepare)`);
  }
  if (!backbone.mapsArePhotos) {
    throw new Error(
      `${prepared[0]}: this preset's frozen backbone wants maps that are computed ahead; name the shards themselves`,
    );
  }
  if (copies > 0) {
    throw new Error(
      `${prepared[0]}: a prepared set holds no altered copies for alteredInputs.copies=${copies}; name the shards themselves as --data`,
    );
  }
  checkWeights(data, weight);
  const sides = { crops: imageSize, maps: backbone.inputSize };
  const { people, validation, held } = await openStreamed({ data, weight, cache, sides, tools: streamTools(stream) });
  note(`${people.ids.length} people to train on, ${validation?.ids.length ?? 0} for validation, ${held} held out`);
  return { people, validation: tested(validation) };
}

/** One person alone has nobody to be compared with. */
function tested(validation: People | undefined): People | undefined {
  const some = validation?.withPhotos(LEAST_TESTED);
  return some && some.ids.length > 1 ? some : undefined;
}

function checkWeights(data: readonly string[], weight: readonly number[] | undefined): void {
  if (weight && weight.length !== data.length) {
    throw new Error(`${data.length} folders of people, but ${weight.length} weights; give one for each`);
  }
}

/** Prepares the same people for stages that will open them; of processes that divide the work, this one's share. */
export async function prepareAhead(options: OpenPeopleOptions, turn?: Turn): Promise<void> {
  for (const { train, validation } of await setsOf(options)) {
    await prepareParts({ ...train, turn });
    if (validation.ids.length > 0) await prepareParts({ ...validation, turn });
  }
}

async function setsOf({ data, weight, ...options }: OpenPeopleOptions) {
  checkWeights(data, weight);
  const sets = await Promise.all(data.map((folder) => partsOf(folder, options)));
  return sets.map((set, i) => ({ ...set, weight: weight?.[i] ?? set.train.ids.length }));
}

/** What is prepared, and how: the landmarks of training people are shifted a little. */
async function partsOf(
  folder: string,
  { note, alterSingles, copies, ...common }: Omit<OpenPeopleOptions, "data" | "weight">,
) {
  const shards = await ShardSet.open(folder);
  const split = splitOf(shards);
  const of = (ids: readonly string[], jitter: boolean): PrepareOptions => ({
    ...common,
    shards,
    ids,
    jitter,
    alterSingles: jitter && alterSingles,
    ...(jitter && { copies }),
    onProgress: (done, total) => note(`prepared ${done} of ${total} people`),
  });
  return { train: of(split.train, true), validation: of(split.validation, false), test: split.test.length };
}
