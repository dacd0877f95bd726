import { ShardSet, splitOf } from "@omni-id/data";
import type { Backbone } from "../backbones/backbone.ts";
import { RecogniserBackbone } from "../backbones/recogniser.ts";
import type { Preset } from "../presets/schema.ts";
import type { People } from "./people.ts";
import { type PrepareOptions, prepareParts, preparePeople } from "./prepare.ts";

/** What every stage is opened with. */
export interface OpenStageOptions {
  /** Folder of shards. */
  data: string;
  /** Folder of prepared people. */
  cache: string;
  preset: Preset;
  seed: number;
  note: (text: string) => void;
}

/** Who is trained on, and who is watched meanwhile; the 44 test people are not opened. */
export interface OpenedPeople {
  people: People;
  /** Absent in sets too small to spare any. */
  validation: People | undefined;
}

/** The people of a folder of shards, prepared; what was prepared before is used again. */
export async function openPeople(
  options: OpenStageOptions,
  backbone: Backbone = RecogniserBackbone.load({ width: options.preset.backbone.width }),
): Promise<OpenedPeople> {
  const { split, train, validation } = await partsOf(options, backbone);
  const people = await preparePeople(train);
  const watched = split.validation.length > 0 ? await preparePeople(validation) : undefined;
  options.note(
    `${people.ids.length} people to train on, ${split.validation.length} for validation, ${split.test.length} held out`,
  );
  return { people, validation: watched };
}

/** Prepares the same people for stages that will open them. */
export async function prepareAhead(options: OpenStageOptions, backbone: Backbone): Promise<void> {
  const { split, train, validation } = await partsOf(options, backbone);
  await prepareParts(train);
  if (split.validation.length > 0) await prepareParts(validation);
}

/** What is prepared, and how: the landmarks of training people are shifted a little. */
async function partsOf({ data, cache, preset, note }: OpenStageOptions, backbone: Backbone) {
  const shards = await ShardSet.open(data);
  const split = splitOf(shards);
  const of = (ids: readonly string[], jitter: boolean): PrepareOptions => ({
    shards,
    ids,
    backbone,
    imageSize: preset.imageSize,
    cache,
    jitter,
    onProgress: (done, total) => note(`prepared ${done} of ${total} people`),
  });
  return { split, train: of(split.train, true), validation: of(split.validation, false) };
}
