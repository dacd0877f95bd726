import { mkdirSync } from "node:fs";
import { manualSeed, rand, tensor } from "@omni-id/torch";
import type { LinearAutoencoder } from "../src/backbones/linear-autoencoder.ts";
import type { WordEncoder } from "../src/backbones/words.ts";
import { resolvePreset } from "../src/presets/index.ts";
import {
  buildControl,
  buildEncoder,
  buildFlowAdapter,
  buildFlowBase,
  buildMaskedDecoder,
} from "../src/weights/build.ts";
import { EncoderBundle, loadEncoder, saveWeights } from "../src/weights/first-stage.ts";
import { saveControl, saveFlowAdapter, saveFlowBase } from "../src/weights/flow.ts";

/** What makes stage one tiny, over the real backbone. */
export const TINY_FIRST_STAGE = [
  "identity.tokens=4",
  "identity.width=16",
  "encoder.headWidth=8",
  "mtd.decoder.width=16",
  "mtd.decoder.headWidth=8",
  "mtd.loss.likeness=0",
  "encoder.carriedTokens=0",
];

/** What makes the base of scenes tiny. */
export const TINY_SCENES = [
  "flow.imageSize=32",
  `flow.latents=${JSON.stringify({
    ...{ kind: "smoothed", patchSize: 8, channels: 24 },
    smoother: { channels: 4, blocks: 1, groups: 2 },
  })}`,
  "autoencoder.batch=4",
  "autoencoder.optimisation.steps=3",
  "flow.flux.width=32",
  "flow.flux.heads=1",
  "flow.flux.singleBlocks=1",
  "flow.prompts.width=16",
  "flow.prompts.layers=1",
  "flow.base.batch=4",
];

/** A tiny preset over the real backbone. */
export const tinyPreset = () =>
  resolvePreset("nano", [
    ...TINY_FIRST_STAGE,
    "flow.flux.width=32",
    "flow.flux.heads=2",
    "flow.flux.axes=[4,6,6]",
    "flow.flux.singleBlocks=1",
  ]);

/** Writes untrained weights of the tiny preset: what commands do does not depend on what was learned. */
export async function writeTinyWeights(folder: string, seed = 1): Promise<void> {
  manualSeed(seed);
  mkdirSync(folder, { recursive: true });
  const preset = tinyPreset();
  const bundle = new EncoderBundle(buildEncoder(preset));
  await saveWeights(folder, { bundle, decoder: buildMaskedDecoder(preset), preset, metadata: { stage: "mtd" } });
}

/** Writes an untrained flow base, adapter and ControlNet for the encoder of the same folder. */
export async function writeTinyFlowWeights(folder: string, seed = 1): Promise<void> {
  manualSeed(seed);
  const preset = tinyPreset();
  const { hash: encoderHash } = await loadEncoder(folder);
  const metadata = { stage: "flow" };
  const base = buildFlowBase(preset);
  (base.prompts as WordEncoder).vocabulary = ["photo", "person", "smiling"];
  (base.latents as LinearAutoencoder).fit(rand([64, 3, 64, 64]).mul(2).sub(1));
  const baseHash = await saveFlowBase(folder, { base, preset, metadata });
  await saveFlowAdapter(folder, { decoder: buildFlowAdapter(preset), encoderHash, baseHash, preset, metadata });
  const control = buildControl(preset, base);
  const face = Float32Array.from({ length: 204 }, (_, i) => Math.sin(i));
  control.mean_face.copy_(tensor(face, { shape: [68, 3] }));
  await saveControl(folder, { control, baseHash, preset, metadata });
}
