import { RecogniserBackbone } from "../backbones/recogniser.ts";
import { type OpenedPeople, type OpenPeopleOptions, openPeople } from "../people/open-people.ts";
import type { PhotoBackbone, PicturesTaken } from "../people/prepare.ts";
import type { StreamOptions } from "../people/streamed-pictures.ts";
import type { Preset } from "../presets/schema.ts";

/** What every stage is opened with. */
export interface OpenStageOptions {
  /** Folders of shards. */
  data: readonly string[];
  /** How often each folder is drawn from; where absent, by its people. */
  weight?: readonly number[];
  /** Folder of prepared people. */
  cache: string;
  /** How prepared sets are streamed. */
  stream?: StreamOptions;
  preset: Preset;
  seed: number;
  note: (text: string) => void;
}

/** What a stage wants of its people. */
export interface StageView {
  /** Side of the pictures that it draws, in pixels. */
  imageSize: number;
  /** Faces when absent. */
  pictures?: PicturesTaken;
  /** What sees the photos; the recogniser when absent. */
  backbone?: PhotoBackbone;
}

/** A stage's people. */
export function openStagePeople(options: OpenStageOptions, view: StageView): Promise<OpenedPeople> {
  return openPeople(stagePeopleOptions(options, view));
}

export function stagePeopleOptions(
  { data, weight, cache, stream, preset, note }: OpenStageOptions,
  { imageSize, pictures, backbone = RecogniserBackbone.load({ width: preset.backbone.width }) }: StageView,
): OpenPeopleOptions {
  const recogniser = () => RecogniserBackbone.load({ width: preset.backbone.width });
  return {
    data,
    weight,
    cache,
    stream,
    imageSize,
    pictures,
    faceMask: preset.faceMask,
    alterSingles: preset.singles === "altered",
    copies: preset.alteredInputs.copies,
    backbone,
    recogniser,
    note,
  };
}
