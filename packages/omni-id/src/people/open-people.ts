import { ShardSet, splitOf } from "@omni-id/data";
import type { People } from "./people.ts";
import { type Describer, type PhotoBackbone, type PrepareOptions, prepareParts, preparePeople } from "./prepare.ts";

export interface OpenPeopleOptions {
  /** Folder of shards. */
  data: string;
  /** Folder of prepared people. */
  cache: string;
  /** Side of the aligned crops, in pixels. */
  imageSize: number;
  backbone: PhotoBackbone;
  recogniser: () => Describer;
  note: (text: string) => void;
}

/** Who is trained on, and who is watched meanwhile; the test people are not opened. */
export interface OpenedPeople {
  people: People;
  /** Absent in sets too small to spare any. */
  validation: People | undefined;
}

/** The people of a folder of shards, prepared; what was prepared before is used again. */
export async function openPeople(options: OpenPeopleOptions): Promise<OpenedPeople> {
  const { split, train, validation } = await partsOf(options);
  const people = await preparePeople(train);
  // One person alone has nobody to be compared with.
  const watched = split.validation.length > 1 ? await preparePeople(validation) : undefined;
  options.note(
    `${people.ids.length} people to train on, ${split.validation.length} for validation, ${split.test.length} held out`,
  );
  return { people, validation: watched };
}

/** Prepares the same people for stages that will open them. */
export async function prepareAhead(options: OpenPeopleOptions): Promise<void> {
  const { split, train, validation } = await partsOf(options);
  await prepareParts(train);
  if (split.validation.length > 1) await prepareParts(validation);
}

/** What is prepared, and how: the landmarks of training people are shifted a little. */
async function partsOf({ data, note, ...common }: OpenPeopleOptions) {
  const shards = await ShardSet.open(data);
  const split = splitOf(shards);
  const of = (ids: readonly string[], jitter: boolean): PrepareOptions => ({
    ...common,
    shards,
    ids,
    jitter,
    onProgress: (done, total) => note(`prepared ${done} of ${total} people`),
  });
  return { split, train: of(split.train, true), validation: of(split.validation, false) };
}
