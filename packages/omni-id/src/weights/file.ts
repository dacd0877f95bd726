import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { type nn, openSafetensors, type SafetensorsFile, saveSafetensors, scope, type Tensor } from "@omni-id/torch";
import { completePreset } from "../presets/index.ts";
import type { Preset } from "../presets/schema.ts";
import { fromEightBits, scaleOf, toEightBits } from "./eight-bits.ts";

/** What the parameters of a weights file may be stored as. */
export const WEIGHTS_DTYPES = ["float32", "float16", "bfloat16", "int8"] as const;
export type WeightsDType = (typeof WEIGHTS_DTYPES)[number];

export interface WeightsNote {
  preset: Preset;
  /** How they were trained. */
  metadata: Readonly<Record<string, string>>;
  /**
   * What parameters are stored as; 16 bits halve the file, and with "int8", large matrices in 8 bits and the rest in 16,
   * it is a quarter. Loading gives float32 again.
   */
  dtype?: WeightsDType;
}

/** Writes a module's state with the preset it was built by; returns the file's SHA-256, by which others name it. */
export async function saveWeightsFile(
  file: string,
  module: nn.Module,
  { preset, metadata, dtype = "float32" }: WeightsNote,
): Promise<string> {
  const told = { ...metadata, preset: JSON.stringify(preset) };
  scope(() => saveSafetensors(file, stored(module, dtype), { metadata: told }));
  return sha256(file);
}

/** State as a file keeps it: statistics stay float32, for their smallest values matter. */
function stored(module: nn.Module, dtype: WeightsDType): Map<string, Tensor> {
  const state = module.stateDict();
  const float = dtype === "int8" ? "float16" : dtype;
  for (const [key, parameter] of module.namedParameters()) {
    const short = dtype === "int8" ? toEightBits(parameter.detach()) : undefined;
    if (short) state.set(scaleOf(key), short.scale);
    const value = short?.values ?? parameter.detach().to(float);
    if (!(short?.scale ?? value).isfinite().all().item()) {
      const broken = !parameter.detach().isfinite().all().item();
      if (broken && dtype === "int8")
        throw new Error(`${key}: its values are not finite; the training has broken down`);
      if (float === "float16")
        throw new Error(`${key}: its values do not fit into float16; store the weights as bfloat16`);
    }
    state.set(key, value);
  }
  return state;
}

export interface OpenedWeights {
  preset: Preset;
  metadata: Readonly<Record<string, string>>;
  /** SHA-256 of the file. */
  hash: string;
  tensors: Map<string, Tensor>;
}

/**
 * Reads a file of {@link saveWeightsFile}.
 * @param stage the training that makes such files, for the message where there is none
 * @throws when the file is missing, damaged, or tells of no preset
 */
export async function openWeightsFile(file: string, stage: string): Promise<OpenedWeights> {
  const { opened, ...note } = await readWeightsNote(file, stage);
  const tensors = fromEightBits(new Map(opened.entries()), file);
  const odd = [...tensors].find(([, tensor]) => !scope(() => tensor.float().sum().isfinite().item()));
  if (odd)
    throw new Error(`${file}: "${odd[0]}" holds values that are not finite; the file is damaged, fetch it again`);
  return { ...note, tensors };
}

/** What a weights file says of itself, and the file opened, of which nothing was read: needs no LibTorch. */
export interface WeightsFileNote extends Omit<OpenedWeights, "tensors"> {
  opened: SafetensorsFile;
}

/** The part of {@link openWeightsFile} that needs no LibTorch. @throws as that does, but for values */
export async function readWeightsNote(file: string, stage: string): Promise<WeightsFileNote> {
  return { ...readHeader(file, stage), hash: await sha256(file) };
}

/** The preset that a weights file tells of: its header alone is read. @throws as {@link readWeightsNote} */
export function readWeightsPreset(file: string, stage: string): Preset {
  return readHeader(file, stage).preset;
}

function readHeader(file: string, stage: string): Omit<WeightsFileNote, "hash"> {
  if (!existsSync(file)) {
    throw new Error(
      `${file}: no such weights; train them (omni-id train ${stage}) or name their folder with --weights`,
    );
  }
  const opened = openSafetensors(file);
  const { metadata } = opened;
  const preset = completePreset(parseJson(metadata.preset));
  if (!preset) throw new Error(`${file}: its metadata holds no preset of this program's version`);
  return { preset, metadata, opened };
}

/** What people call an encoder: its preset and the beginning of its hash. */
export const encoderName = (preset: Preset, hash: string): string => `${preset.name} ${hash.slice(0, 8)}`;

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(file)) hash.update(part as Buffer);
  return hash.digest("hex");
}
