import { join } from "node:path";
import { WordEncoder } from "./backbones/words.ts";
import { buildFlowBase } from "./build.ts";
import type { FlowBase } from "./flow-base.ts";
import type { Preset } from "./presets/schema.ts";
import { openWeightsFile, saveWeightsFile, type WeightsNote } from "./weights-file.ts";

export const FLUX_FILE = "flux.safetensors";
export const AUTOENCODER_FILE = "autoencoder.safetensors";
export const PROMPTS_FILE = "prompts.safetensors";

export interface LoadedFlowBase {
  base: FlowBase;
  preset: Preset;
  /** SHA-256 of FLUX's file: adapters name the base they were trained on. */
  hash: string;
  metadata: Readonly<Record<string, string>>;
}

/** Writes FLUX, autoencoder and prompt encoder, each by its own keys; returns FLUX's hash. */
export async function saveFlowBase(
  folder: string,
  { base, preset, metadata, dtype }: WeightsNote & { base: FlowBase },
): Promise<string> {
  const { latents, prompts, flux } = base;
  const words: Record<string, string> = {};
  if (prompts instanceof WordEncoder) words.vocabulary = JSON.stringify(prompts.vocabulary);
  await saveWeightsFile(join(folder, AUTOENCODER_FILE), latents, { preset, metadata, dtype });
  await saveWeightsFile(join(folder, PROMPTS_FILE), prompts, { preset, metadata: { ...metadata, ...words }, dtype });
  return saveWeightsFile(join(folder, FLUX_FILE), flux, { preset, metadata, dtype });
}

/**
 * Loads a flow model with its autoencoder and prompt encoder, frozen.
 * @throws when a file is missing, damaged, or of another shape than its own preset
 */
export async function loadFlowBase(folder: string): Promise<LoadedFlowBase> {
  const open = (name: string) => openWeightsFile(join(folder, name), "base");
  const [flux, autoencoder, prompts] = [await open(FLUX_FILE), await open(AUTOENCODER_FILE), await open(PROMPTS_FILE)];
  const base = buildFlowBase(flux.preset);
  base.flux.loadStateDict(flux.tensors);
  base.latents.loadStateDict(autoencoder.tensors);
  base.prompts.loadStateDict(prompts.tensors);
  if (base.prompts instanceof WordEncoder) {
    base.prompts.vocabulary = JSON.parse(prompts.metadata.vocabulary ?? "[]") as string[];
  }
  base.eval();
  base.requiresGrad_(false);
  return { base, preset: flux.preset, hash: flux.hash, metadata: flux.metadata };
}
