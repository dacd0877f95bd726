import { mkdirSync } from "node:fs";
import { scope } from "@omni-id/torch";
import { provenance } from "../evaluate/provenance.ts";
import type { Preset } from "../presets/schema.ts";
import { EncoderBundle, saveWeights } from "../weights.ts";
import { type FirstStage, trainingIdentities } from "./first-stage.ts";

export interface ExportNote {
  preset: Preset;
  step: number;
  seed: number;
  precision: string;
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
    commit,
    hardware,
    libtorch,
    date,
  };
  return saveWeights(folder, { bundle, decoder: model.decoder, preset: note.preset, metadata });
}
