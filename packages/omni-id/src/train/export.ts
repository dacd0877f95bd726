import { mkdirSync } from "node:fs";
import { scope } from "@omni-id/torch";
import { provenance } from "../evaluate/provenance.ts";
import type { Preset } from "../presets/schema.ts";
import { EncoderBundle, saveWeights } from "../weights.ts";
import { mtdCommand, synthCommand } from "./commands.ts";
import { type FirstStage, trainingIdentities } from "./first-stage.ts";

export interface ExportNote {
  /** Folder of the shards. */
  data: string;
  preset: Preset;
  step: number;
  seed: number;
  precision: string;
  /** What the training took, in seconds. */
  seconds: number;
}

/** Writes a trained first stage as the two weights files that every command reads; returns the encoder's hash. */
export async function exportFirstStage(
  folder: string,
  { model, people }: FirstStage,
  note: ExportNote,
): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const bundle = new EncoderBundle(model.encoder, model.recognition);
  scope(() => bundle.standardise(trainingIdentities(model, people, 2048)));
  const { commit, hardware, libtorch, date } = provenance(note.seed);
  const metadata = {
    stage: "mtd",
    steps: String(note.step),
    seed: String(note.seed),
    precision: note.precision,
    people: String(people.ids.length),
    hours: (note.seconds / 3600).toFixed(2),
    ...commandsOf(note),
    commit,
    hardware,
    libtorch,
    date,
  };
  return saveWeights(folder, { bundle, decoder: model.decoder, preset: note.preset, metadata });
}

/** How somebody else makes the same weights: the metadata `data` (absent for shards from elsewhere) and `command`. */
export function commandsOf(note: Omit<ExportNote, "step" | "seconds">): Record<string, string> {
  const data = synthCommand(note.data);
  return { ...(data && { data }), command: mtdCommand(note) };
}
