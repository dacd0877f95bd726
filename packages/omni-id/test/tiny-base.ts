import { manualSeed, rand, scope } from "@omni-id/torch";
import type { LinearAutoencoder } from "../src/backbones/linear-autoencoder.ts";
import type { WordEncoder } from "../src/backbones/words.ts";
import type { FlowBase } from "../src/flow-base.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { buildFlowBase } from "../src/weights/build.ts";

export const tinyBasePreset = resolvePreset("nano", [
  "flow.flux.width=32",
  "flow.flux.heads=2",
  "flow.flux.axes=[4,6,6]",
  "flow.flux.singleBlocks=1",
]);

/** A flow base of a few thousand numbers that were never trained, the same each time. */
export function tinyBase(): FlowBase {
  manualSeed(2);
  const base = buildFlowBase(tinyBasePreset).requiresGrad_(false);
  (base.prompts as WordEncoder).vocabulary = ["photo", "person", "red", "hat"];
  scope(() => (base.latents as LinearAutoencoder).fit(rand([8, 3, 64, 64]).sub(0.5)));
  return base;
}
