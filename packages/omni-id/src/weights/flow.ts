import { existsSync } from "node:fs";
import { join } from "node:path";
import { cat, defaultDevice, scope, type Tensor, zeros } from "@omni-id/torch";
import type { LandmarkControl } from "../adapters/landmark-control.ts";
import type { Autoencoder } from "../backbones/autoencoder.ts";
import type { Flux } from "../backbones/flux.ts";
import { SmoothedAutoencoder } from "../backbones/smoothed-autoencoder.ts";
import { VocabularyEncoder } from "../backbones/words.ts";
import { loadFluxBase } from "../checkpoints/flux-base.ts";
import { type KleinModel, loadKleinBase } from "../checkpoints/klein-base.ts";
import type { FlowBase } from "../flow-base.ts";
import type { FlowAdapter } from "../flow-decoder.ts";
import type { Preset } from "../presets/schema.ts";
import { buildControl, buildFlowAdapter, buildFlowBase } from "./build.ts";
import { openWeightsFile, readWeightsPreset, saveWeightsFile, type WeightsNote } from "./file.ts";
import type { LoadedEncoder } from "./first-stage.ts";

export const FLUX_FILE = "flux.safetensors";
export const ADAPTER_FILE = "ip-adapter.safetensors";
export const CONTROL_FILE = "controlnet.safetensors";
export const AUTOENCODER_FILE = "autoencoder.safetensors";
export const PROMPTS_FILE = "prompts.safetensors";

export interface LoadedFlowBase {
  base: FlowBase;
  preset: Preset;
  /** SHA-256 of FLUX's file: adapters name the base they were trained on. */
  hash: string;
  metadata: Readonly<Record<string, string>>;
}

/** Whether a folder holds all that drawing new pictures takes, beside the encoder. */
export function hasFlowWeights(folder: string): boolean {
  const files = [FLUX_FILE, AUTOENCODER_FILE, PROMPTS_FILE, ADAPTER_FILE, CONTROL_FILE];
  return files.every((file) => existsSync(join(folder, file)));
}

/** Writes FLUX, autoencoder and prompt encoder, each by its own keys; returns FLUX's hash. */
export async function saveFlowBase(
  folder: string,
  { base, preset, metadata, dtype }: WeightsNote & { base: FlowBase },
): Promise<string> {
  const { latents, prompts, flux } = base;
  const words: Record<string, string> = {};
  if (prompts instanceof VocabularyEncoder) words.vocabulary = JSON.stringify(prompts.vocabulary);
  await saveAutoencoder(folder, { latents, preset, metadata, dtype });
  await saveWeightsFile(join(folder, PROMPTS_FILE), prompts, { preset, metadata: { ...metadata, ...words }, dtype });
  return saveWeightsFile(join(folder, FLUX_FILE), flux, { preset, metadata, dtype });
}

/** By what adapters name a published flow model, which has many files but one set of weights. */
const PUBLISHED = { flux: "FLUX.1", flux2: "FLUX.2" } as const;

/** Whether a preset takes a published flow model as it is. */
export const takesPublished = ({ flow }: Preset): boolean => flow.latents.kind in PUBLISHED;

/**
 * The preset of a folder's adapter, or of its ControlNet, where that was trained on a published flow model, which lies
 * elsewhere.
 */
export function publishedPreset(folder: string): Preset | undefined {
  if (existsSync(join(folder, FLUX_FILE))) return undefined;
  const file = [ADAPTER_FILE, CONTROL_FILE].map((name) => join(folder, name)).find((path) => existsSync(path));
  if (!file) return undefined;
  const preset = readWeightsPreset(file, "flow");
  return takesPublished(preset) ? preset : undefined;
}

/**
 * Loads a flow model with its autoencoder and prompt encoder, frozen: those of a folder, or the published files where
 * the preset takes these. One that is wanted to be told of layouts and is not yet is made ready for it.
 * @param model which of FLUX.2's two; Base when absent
 * @throws when a file is missing, damaged, or of another shape than its own preset
 */
export async function loadFlowBase(folder: string, wanted?: Preset, model?: KleinModel): Promise<LoadedFlowBase> {
  const device = defaultDevice();
  if (wanted?.flow.layout && takesPublished(wanted)) {
    throw new Error(
      `flow.layout: the flow model of the preset ${wanted.name} is a published one, and takes no layouts`,
    );
  }
  if (wanted?.flow.latents.kind === "flux") {
    return { base: loadFluxBase(wanted, { device }), preset: wanted, hash: PUBLISHED.flux, metadata: {} };
  }
  if (wanted?.flow.latents.kind === "flux2") {
    return { base: loadKleinBase(wanted, { device, model }), preset: wanted, hash: PUBLISHED.flux2, metadata: {} };
  }
  const open = (name: string) => openWeightsFile(join(folder, name), "base");
  const [flux, autoencoder, prompts] = [await open(FLUX_FILE), await open(AUTOENCODER_FILE), await open(PROMPTS_FILE)];
  const preset = wanted?.flow.layout ? { ...flux.preset, flow: { ...flux.preset.flow, layout: true } } : flux.preset;
  const base = buildFlowBase(preset);
  base.flux.loadStateDict(widened(flux.tensors, base.flux));
  base.latents.loadStateDict(autoencoder.tensors);
  base.prompts.loadStateDict(prompts.tensors);
  if (base.prompts instanceof VocabularyEncoder) {
    base.prompts.vocabulary = JSON.parse(prompts.metadata.vocabulary ?? "[]") as string[];
  }
  base.eval();
  base.requiresGrad_(false);
  return { base, preset, hash: flux.hash, metadata: flux.metadata };
}

/** Weights of a FLUX for one that is told of more channels, which change nothing until they are trained. */
function widened(tensors: ReadonlyMap<string, Tensor>, { options, img_in }: Flux): ReadonlyMap<string, Tensor> {
  const key = "img_in.weight";
  const narrow = tensors.get(key);
  const missing = narrow ? options.inChannels - narrow.shape[1] : 0;
  if (!narrow || missing <= 0) return tensors;
  const wide = scope(() => cat([narrow.float(), zeros([img_in.weight.shape[0], missing])], 1));
  return new Map([...tensors, [key, wide]]);
}

/** Writes an autoencoder alone; returns its hash. */
export function saveAutoencoder(
  folder: string,
  { latents, ...note }: WeightsNote & { latents: Autoencoder },
): Promise<string> {
  return saveWeightsFile(join(folder, AUTOENCODER_FILE), latents, note);
}

/**
 * Puts a folder's autoencoder into another of the same latents. A smoother that a folder's latents do not have yet stays
 * as it is.
 * @throws when the folder's latents are of another shape
 */
export async function startAutoencoder(latents: Autoencoder, folder: string): Promise<void> {
  const { tensors } = await openWeightsFile(join(folder, AUTOENCODER_FILE), "autoencoder");
  const rough = latents instanceof SmoothedAutoencoder && !tensors.has("smoother.conv_out.weight");
  latents.loadStateDict(tensors, { strict: !rough });
}

/**
 * Puts a folder's flow base into another of the same shape, to be trained on: with its latents and its words.
 * @returns its metadata: how it was trained
 */
export async function startFlowBase(base: FlowBase, folder: string): Promise<Readonly<Record<string, string>>> {
  const loaded = await loadFlowBase(folder);
  base.flux.loadStateDict(widened(loaded.base.flux.stateDict(), base.flux));
  base.prompts.loadStateDict(loaded.base.prompts.stateDict());
  await startAutoencoder(base.latents, folder);
  if (base.prompts instanceof VocabularyEncoder && loaded.base.prompts instanceof VocabularyEncoder) {
    base.prompts.vocabulary = [...loaded.base.prompts.vocabulary];
  }
  return loaded.metadata;
}

/**
 * Puts a folder's second decoder into another of the same shape, whichever encoder and base it was trained with.
 * @returns how it was trained
 */
export async function startFlowAdapter(
  decoder: FlowAdapter,
  folder: string,
): Promise<Readonly<Record<string, string>>> {
  const { tensors, metadata } = await openWeightsFile(join(folder, ADAPTER_FILE), "flow");
  decoder.loadStateDict(tensors);
  return metadata;
}

/** Puts a folder's ControlNet into another of the same shape, whichever base it was trained on. */
export async function startControl(control: LandmarkControl, folder: string): Promise<void> {
  control.loadStateDict((await openWeightsFile(join(folder, CONTROL_FILE), "control")).tensors);
}

export interface AdapterWeights extends WeightsNote {
  decoder: FlowAdapter;
  /** SHA-256 of the encoder and of the FLUX that it was trained with. */
  encoderHash: string;
  baseHash: string;
}

/** Writes the second decoder, by XLabs' keys for what is XLabs'; returns its hash. */
export async function saveFlowAdapter(
  folder: string,
  { decoder, encoderHash, baseHash, preset, metadata, dtype }: AdapterWeights,
): Promise<string> {
  const told = { ...metadata, encoderHash, baseHash };
  return saveWeightsFile(join(folder, ADAPTER_FILE), decoder, { preset, metadata: told, dtype });
}

/**
 * Loads the second decoder, frozen.
 * @throws when it was trained with another encoder or another base than those at hand
 */
export async function loadFlowAdapter(
  folder: string,
  { encoder, base }: { encoder: Pick<LoadedEncoder, "hash">; base: LoadedFlowBase },
): Promise<FlowAdapter> {
  const file = join(folder, ADAPTER_FILE);
  const { preset, metadata, tensors } = await openWeightsFile(file, "flow");
  if (metadata.encoderHash !== encoder.hash) {
    throw new Error(`${file}: trained with another encoder than the one at hand; take both from one run`);
  }
  checkBase(file, metadata, base);
  const decoder = buildFlowAdapter(preset);
  decoder.loadStateDict(tensors);
  decoder.eval();
  decoder.requiresGrad_(false);
  return decoder;
}

/** Writes the ControlNet on landmarks, by XLabs' keys; returns its hash. */
export async function saveControl(
  folder: string,
  { control, baseHash, preset, metadata, dtype }: WeightsNote & { control: LandmarkControl; baseHash: string },
): Promise<string> {
  return saveWeightsFile(join(folder, CONTROL_FILE), control, { preset, metadata: { ...metadata, baseHash }, dtype });
}

/** Loads the ControlNet on landmarks, frozen. @throws when it was trained on another base than the one at hand */
export async function loadControl(folder: string, base: LoadedFlowBase): Promise<LandmarkControl> {
  const file = join(folder, CONTROL_FILE);
  const { preset, metadata, tensors } = await openWeightsFile(file, "control");
  checkBase(file, metadata, base);
  const control = buildControl(preset, base.base);
  control.loadStateDict(tensors);
  control.eval();
  control.requiresGrad_(false);
  return control;
}

function checkBase(file: string, metadata: Readonly<Record<string, string>>, base: LoadedFlowBase): void {
  if (metadata.baseHash === base.hash) return;
  throw new Error(`${file}: trained on another flow base than ${FLUX_FILE} at hand; take both from one run`);
}
