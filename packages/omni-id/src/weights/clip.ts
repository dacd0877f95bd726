import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Tensor, tensor } from "@omni-id/torch";
import { ClipModel } from "../backbones/clip-model.ts";
import { NANO_CLIP } from "../presets/nano-clip.ts";
import type { Preset } from "../presets/schema.ts";
import { PADDING, SPECIAL, Vocabulary } from "../text/prompt-words.ts";
import { openWeightsFile, saveWeightsFile, type WeightsNote } from "./file.ts";

export const CLIP_FILE = "clip.safetensors";

/** A small CLIP with the words that it knows. */
export interface ClipWithWords {
  model: ClipModel;
  vocabulary: Vocabulary;
}

/** The image tower that a preset describes: its backbone where that is a CLIP, else the nano one. */
export const clipVisionOf = ({ backbone }: Preset) => (backbone.kind === "clip" ? backbone : NANO_CLIP);

/** A fresh one by a preset. */
export function buildClip(preset: Preset, words: readonly string[]): ClipWithWords {
  const { projection, text } = preset.clip;
  const { words: most, length, ...tower } = text;
  // Padding, unknown, the words, and the end of a text, which has the highest number.
  const vocabulary = most + SPECIAL + 1;
  const model = new ClipModel({
    vision: clipVisionOf(preset),
    text: { ...tower, length: length + 1, vocabulary, activation: "gelu" },
    projection,
  });
  return { model, vocabulary: new Vocabulary(words, length) };
}

/** Texts as ids `[B, N]` int64: words, the end, padding. What is too long is cut, as CLIP does. */
export function clipIds({ model, vocabulary }: ClipWithWords, texts: readonly string[]): Tensor {
  const end = model.text_model.embeddings.token_embedding.weight.shape[0] - 1;
  const rows = texts.map((text) => {
    const row = vocabulary.row(text, { truncate: true });
    const words = row.indexOf(PADDING);
    const count = words < 0 ? row.length : words;
    return [...row.slice(0, count), end, ...row.slice(count)];
  });
  return tensor(rows, { dtype: "int64" });
}

export function saveClip(folder: string, { clip, ...note }: WeightsNote & { clip: ClipWithWords }): Promise<string> {
  const metadata = { ...note.metadata, vocabulary: JSON.stringify(clip.vocabulary.words) };
  return saveWeightsFile(join(folder, CLIP_FILE), clip.model, { ...note, metadata });
}

/** One of a file, with the side of the pictures that it sees, in pixels, and the file's hash. */
export interface LoadedClip extends ClipWithWords {
  imageSize: number;
  hash: string;
}

/** Reads one, frozen. @throws when the file is missing, damaged, or of another shape than its own preset */
export async function loadClip(folder: string): Promise<LoadedClip> {
  const { preset, tensors, metadata, hash } = await openWeightsFile(join(folder, CLIP_FILE), "clip");
  const clip = buildClip(preset, JSON.parse(metadata.vocabulary ?? "[]") as string[]);
  clip.model.loadStateDict(tensors);
  clip.model.requiresGrad_(false);
  return { ...clip, imageSize: clipVisionOf(preset).imageSize, hash };
}

/** Whether a folder holds one. */
export const hasClip = (folder: string): boolean => existsSync(join(folder, CLIP_FILE));
