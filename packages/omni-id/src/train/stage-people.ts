import { RecogniserBackbone } from "../backbones/recogniser.ts";
import { type OpenedPeople, type OpenPeopleOptions, openPeople } from "../people/open-people.ts";
import type { PhotoBackbone } from "../people/prepare.ts";
import type { Preset } from "../presets/schema.ts";

/** What every stage is opened with. */
export interface OpenStageOptions {
  /** Folders of shards. */
  data: readonly string[];
  /** How often each folder is drawn from; where absent, by its people. */
  weight?: readonly number[];
  /** Folder of prepared people. */
  cache: string;
  preset: Preset;
  seed: number;
  note: (text: string) => void;
}

/** A stage's people; without a backbone of its own it takes the recogniser. */
export function openStagePeople(options: OpenStageOptions, backbone?: PhotoBackbone): Promise<OpenedPeople> {
  return openPeople(stagePeopleOptions(options, backbone));
}

export function stagePeopleOptions(
  { data, weight, cache, preset, note }: OpenStageOptions,
  backbone: PhotoBackbone = RecogniserBackbone.load({ width: preset.backbone.width }),
): OpenPeopleOptions {
  const recogniser = () => RecogniserBackbone.load({ width: preset.backbone.width });
  return {
    data,
    weight,
    cache,
    imageSize: preset.imageSize,
    alterSingles: preset.singles === "altered",
    backbone,
    recogniser,
    note,
  };
}
