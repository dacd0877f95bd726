import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { provenance } from "@omni-id/data";
import { renderedSets } from "../evaluate/never-met.ts";
import { trainingIdentities } from "../evaluate/training-identities.ts";
import type { FlowBase } from "../flow-base.ts";
import type { People } from "../people/people.ts";
import type { Preset } from "../presets/schema.ts";
import type { Representation } from "../representations/representation.ts";
import { saveAttributes } from "../weights/attributes.ts";
import { saveClip } from "../weights/clip.ts";
import { EncoderBundle, saveEncoder, saveMaskedDecoder, saveWeights } from "../weights/first-stage.ts";
import {
  AUTOENCODER_FILE,
  FLUX_FILE,
  PROMPTS_FILE,
  saveAutoencoder,
  saveControl,
  saveFlowAdapter,
  saveFlowBase,
} from "../weights/flow.ts";
import { ENCODER_FILE } from "../weights/folder.ts";
import { KnownPeople, saveKnownPeople } from "../weights/known-people.ts";
import type { OpenedAttributes } from "./attributes/open.ts";
import type { OpenedAutoencoder } from "./autoencoder/open.ts";
import type { OpenedClip } from "./clip/open.ts";
import { type CommandNote, commandsOf } from "./commands.ts";
import type { OpenedControl } from "./control/open.ts";
import type { OpenedFlow } from "./flow/open.ts";
import type { FirstStage } from "./mtd/open.ts";

/** People whose identities tell what the decoder has met. */
const KNOWN_OVER = 1200;

export interface ExportNote extends CommandNote {
  step: number;
  /** What the training took, in seconds. */
  seconds: number;
}

/** How weights came to be, as their files tell it. */
function metadataOf(note: ExportNote): Record<string, string> {
  const { stage, step, seed, precision, seconds } = note;
  const { commit, hardware, libtorch, date } = provenance(seed);
  const hours = (seconds / 3600).toFixed(2);
  return {
    stage,
    steps: `${step}`,
    seed: `${seed}`,
    precision,
    hours,
    ...commandsOf(note),
    commit,
    hardware,
    libtorch,
    date,
  };
}

/** Writes a trained first stage as the two weights files that every command reads; returns what to tell of it. */
export async function exportFirstStage(folder: string, first: FirstStage, note: ExportNote): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const { model, people, kept, before } = first;
  const now = { ...metadataOf(note), people: String(people.ids.length) };
  const metadata = afterwards(before, now);
  const { preset } = note;
  if (kept) {
    copyFileSync(kept.file, join(folder, ENCODER_FILE));
    await saveMaskedDecoder(folder, { decoder: model.decoder, encoderHash: kept.hash, preset, metadata });
    return `masked decoder for the encoder ${kept.hash.slice(0, 12)}`;
  }
  const bundle = new EncoderBundle(model.encoder);
  await standardise(bundle, first);
  const hash = await saveWeights(folder, { bundle, decoder: model.decoder, preset, metadata });
  return `encoder ${hash.slice(0, 12)}`;
}

/** Mean and deviation of ℓ over training people. */
async function standardise(
  bundle: EncoderBundle<Representation>,
  { model, people }: { model: { encoder: Representation }; people: People },
): Promise<void> {
  const identities = await trainingIdentities(model.encoder, people, 2048);
  bundle.standardise(identities);
  identities.dispose();
}

/** Writes a trained flow base; returns what to tell of it. */
export async function exportFlowBase(
  folder: string,
  { model, before }: { model: FlowBase; before?: Readonly<Record<string, string>> },
  note: ExportNote,
): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const metadata = afterwards(before, metadataOf(note));
  const hash = await saveFlowBase(folder, { base: model, preset: note.preset, metadata });
  return `flow base ${hash.slice(0, 12)}`;
}

/**
 * Writes an autoencoder; returns what to tell of it. Beside it, where it is a flow base's own, that base as it was, whose
 * hash adapters name.
 */
export async function exportAutoencoder(
  folder: string,
  { model, people, base }: OpenedAutoencoder,
  note: ExportNote,
): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const metadata = { ...metadataOf(note), people: String(people.ids.length) };
  if (base !== undefined) copyFiles(base, folder, [FLUX_FILE, PROMPTS_FILE]);
  const hash = await saveAutoencoder(folder, { latents: model, preset: note.preset, metadata });
  return `autoencoder ${hash.slice(0, 12)}`;
}

/** Writes both towers of a CLIP; returns what to tell of it. */
export async function exportClip(folder: string, { clip, people }: OpenedClip, note: ExportNote): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const metadata = { ...metadataOf(note), people: String(people.ids.length) };
  const hash = await saveClip(folder, { clip, preset: note.preset, metadata });
  return `CLIP ${hash.slice(0, 12)}`;
}

/** Writes what reads attributes; returns what to tell of it. */
export async function exportAttributes(
  folder: string,
  { model, people }: OpenedAttributes,
  note: ExportNote,
): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const metadata = { ...metadataOf(note), people: String(people.ids.length) };
  const hash = await saveAttributes(folder, { network: model, preset: note.preset, metadata });
  return `attributes ${hash.slice(0, 12)}`;
}

/** Writes stage two: the encoder as it is now, and the second decoder; returns what to tell of them. */
export async function exportFlow(folder: string, flow: OpenedFlow, note: ExportNote): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const { model, people, base, baseFolder } = flow;
  const metadata = { ...metadataOf(note), people: String(people.ids.length) };
  const { preset } = note;
  const encoderHash = await exportEncoder(folder, flow, preset, metadata);
  const baseHash = model.base
    ? await saveFlowBase(folder, { base: model.base, preset, metadata: afterwards(base.metadata, metadata) })
    : base.hash;
  if (!model.base && baseFolder !== undefined)
    copyFiles(baseFolder, folder, [FLUX_FILE, AUTOENCODER_FILE, PROMPTS_FILE]);
  if (model.control) await saveControl(folder, { control: model.control, baseHash, preset, metadata });
  await exportKnownPeople(folder, flow, { encoderHash, preset, metadata });
  const adapter = {
    decoder: model.decoder,
    encoderHash,
    baseHash,
    preset,
    metadata: afterwards(flow.before, metadata),
  };
  const hash = await saveFlowAdapter(folder, adapter);
  return `encoder ${encoderHash.slice(0, 12)}, adapter ${hash.slice(0, 12)}`;
}

/** As they are: adapters name a base by the hash of its file. */
function copyFiles(from: string, to: string, files: readonly string[]): void {
  for (const file of files) copyFileSync(join(from, file), join(to, file));
}

/** What the decoder has met of ℓ, where an identity tells by what it carries that it is of other pictures. */
async function exportKnownPeople(
  folder: string,
  { model, people }: Pick<OpenedFlow, "model" | "people">,
  note: Omit<Parameters<typeof saveKnownPeople>[1], "known">,
): Promise<void> {
  if (model.encoder.carriedTokens === 0) return;
  await saveKnownPeople(folder, { ...note, known: await fitKnownPeople(model.encoder, people) });
}

/** In what the identities of training people differ. */
export async function fitKnownPeople(encoder: Representation, people: People): Promise<KnownPeople> {
  const identities = await trainingIdentities(encoder, people, KNOWN_OVER);
  const known = KnownPeople.fit(identities);
  identities.dispose();
  return known;
}

/** The encoder that stage two has trained along; a frozen one keeps its file, so that its identities stay valid. */
async function exportEncoder(
  folder: string,
  { model, people, encoder, encoderFile }: OpenedFlow,
  preset: Preset,
  metadata: Record<string, string>,
): Promise<string> {
  if (preset.flow.adapter.encoderRate === 0 && encoder.hash !== "") {
    copyFileSync(encoderFile, join(folder, ENCODER_FILE));
    return encoder.hash;
  }
  await standardise(encoder.bundle, { model, people });
  return saveEncoder(folder, { bundle: encoder.bundle, preset, metadata: afterwards(encoder.metadata, metadata) });
}

/** What is told of weights that one stage has trained after another, if there was one before. */
function afterwards(
  first: Readonly<Record<string, string>> | undefined,
  then: Record<string, string>,
): Record<string, string> {
  if (first?.stage === undefined) return then;
  const both = (key: string) => `${first[key] ?? "?"} + ${then[key]}`;
  const hours = (Number(first.hours) + Number(then.hours)).toFixed(2);
  const history = [first.history, first.command && `Before: \`npx ${first.command}\``].filter(Boolean).join("\n\n");
  const sets = renderedSets([first, then]);
  return {
    ...then,
    ...(sets.length > 1 && { rendered: sets.join("; ") }),
    stage: both("stage"),
    steps: both("steps"),
    hours,
    ...(history && { history }),
  };
}

/** Writes a trained ControlNet; returns what to tell of it. */
export async function exportControl(folder: string, { model, base }: OpenedControl, note: ExportNote): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const told = { control: model, baseHash: base.hash, preset: note.preset, metadata: metadataOf(note) };
  return `controlnet ${(await saveControl(folder, told)).slice(0, 12)}`;
}
