import { SmoothedAutoencoder } from "../../backbones/smoothed-autoencoder.ts";
import type { People } from "../../people/people.ts";
import { buildLatents } from "../../weights/build.ts";
import { startAutoencoder } from "../../weights/flow.ts";
import { type OpenStageOptions, openStagePeople } from "../stage-people.ts";
import { fitLatents } from "./fit.ts";
import { AutoencoderStage } from "./stage.ts";

export interface OpenedAutoencoder {
  stage: AutoencoderStage;
  model: SmoothedAutoencoder;
  people: People;
  /** Folder of the flow base whose latents these are. */
  base: string | undefined;
}

export interface OpenAutoencoderOptions extends OpenStageOptions {
  /** Folder of the flow base whose latents are smoothed; new latents when absent. */
  base?: string;
}

/** What smooths the pictures of a preset's latents. @throws when the preset's latents have no such network */
export async function openAutoencoderStage(options: OpenAutoencoderOptions): Promise<OpenedAutoencoder> {
  const { preset, seed, note, base } = options;
  const { imageSize, pictures, latents } = preset.flow;
  const model = latents.kind === "smoothed" ? buildLatents(preset.flow) : undefined;
  if (!(model instanceof SmoothedAutoencoder)) {
    throw new Error(
      `preset ${preset.name} has latents of the kind "${latents.kind}", which nothing smooths; take nano-scenes`,
    );
  }
  const { people, validation } = await openStagePeople(options, { imageSize, pictures });
  if (base !== undefined) await startAutoencoder(model, base);
  await fitLatents(model, people, { fit: base === undefined, note });
  const stage = new AutoencoderStage({ model, people, validation, preset: preset.autoencoder, imageSize, seed });
  return { stage, model, people, base };
}
