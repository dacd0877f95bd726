import { mkdirSync } from "node:fs";
import { manualSeed } from "@omni-id/torch";
import { buildEncoder, buildMaskedDecoder } from "../src/build.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { EncoderBundle, saveWeights } from "../src/weights.ts";

/** A tiny preset over the real backbone. */
export const tinyPreset = () =>
  resolvePreset("nano", [
    "identity.tokens=4",
    "identity.width=16",
    "encoder.headWidth=8",
    "mtd.decoder.width=16",
    "mtd.decoder.headWidth=8",
    "mtd.loss.likeness=0",
    "encoder.carriedTokens=0",
  ]);

/** Writes untrained weights of the tiny preset: what commands do does not depend on what was learned. */
export async function writeTinyWeights(folder: string, seed = 1): Promise<void> {
  manualSeed(seed);
  mkdirSync(folder, { recursive: true });
  const preset = tinyPreset();
  const bundle = new EncoderBundle(buildEncoder(preset));
  await saveWeights(folder, { bundle, decoder: buildMaskedDecoder(preset), preset, metadata: { stage: "mtd" } });
}
