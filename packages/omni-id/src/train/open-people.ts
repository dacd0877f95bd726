import { ShardSet, splitOf } from "@omni-id/data";
import { RecogniserBackbone } from "../backbones/recogniser.ts";
import type { Preset } from "../presets/schema.ts";
import type { People } from "./people.ts";
import { preparePeople } from "./prepare.ts";

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
  { data, cache, preset, note }: OpenStageOptions,
  backbone = RecogniserBackbone.load({ width: preset.backbone.width }),
): Promise<OpenedPeople> {
  const shards = await ShardSet.open(data);
  const split = splitOf(shards);
  const prepare = (ids: readonly string[], jitter: boolean) =>
    preparePeople({
      shards,
      ids,
      backbone,
      imageSize: preset.imageSize,
      cache,
      jitter,
      onProgress: (done, total) => note(`prepared ${done} of ${total} people`),
    });
  const people = await prepare(split.train, true);
  const validation = split.validation.length > 0 ? await prepare(split.validation, false) : undefined;
  note(
    `${people.ids.length} people to train on, ${split.validation.length} for validation, ${split.test.length} held out`,
  );
  return { people, validation };
}
