import { ShardSet, splitOf } from "@omni-id/data";
import { LEAST_TESTED, type People } from "./people.ts";
import { type Describer, type PhotoBackbone, type PrepareOptions, prepareJoined, prepareParts } from "./prepare.ts";

export interface OpenPeopleOptions {
  /** Folders of shards. */
  data: readonly string[];
  /** How often each folder is drawn from, over the sum of all; where absent, by its people. */
  weight?: readonly number[];
  /** Folder of prepared people. */
  cache: string;
  /** Side of the aligned crops, in pixels. */
  imageSize: number;
  /** An altered copy beside the only photo of training people who have one. */
  alterSingles?: boolean;
  backbone: PhotoBackbone;
  recogniser: () => Describer;
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
  const tested = validation?.withPhotos(LEAST_TESTED);
  // One person alone has nobody to be compared with.
  return { people, validation: tested && tested.ids.length > 1 ? tested : undefined };
}

/** Prepares the same people for stages that will open them. */
export async function prepareAhead(options: OpenPeopleOptions): Promise<void> {
  for (const { train, validation } of await setsOf(options)) {
    await prepareParts(train);
    if (validation.ids.length > 0) await prepareParts(validation);
  }
}

async function setsOf({ data, weight, ...options }: OpenPeopleOptions) {
  if (weight && weight.length !== data.length) {
    throw new Error(`${data.length} folders of people, but ${weight.length} weights; give one for each`);
  }
  const sets = await Promise.all(data.map((folder) => partsOf(folder, options)));
  return sets.map((set, i) => ({ ...set, weight: weight?.[i] ?? set.train.ids.length }));
}

/** What is prepared, and how: the landmarks of training people are shifted a little. */
async function partsOf(folder: string, { note, alterSingles, ...common }: Omit<OpenPeopleOptions, "data" | "weight">) {
  const shards = await ShardSet.open(folder);
  const split = splitOf(shards);
  const of = (ids: readonly string[], jitter: boolean): PrepareOptions => ({
    ...common,
    shards,
    ids,
    jitter,
    alterSingles: jitter && alterSingles,
    onProgress: (done, total) => note(`prepared ${done} of ${total} people`),
  });
  return { train: of(split.train, true), validation: of(split.validation, false), test: split.test.length };
}
