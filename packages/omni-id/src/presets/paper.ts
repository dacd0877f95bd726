import type { Preset } from "./schema.ts";

/**
 * The paper's sizes (section 4.1): CLIP-H with all layers fine-tuned, L = 256, C = 1280, 2 + 2 blocks, MTD 250 K
 * steps at 95 % masked. Batch and rates are not in the paper; these are ours.
 */
export const paper: Preset = {
  name: "paper",
  imageSize: 224,
  backbone: {
    kind: "clip",
    width: 1280,
    layers: 32,
    heads: 16,
    mlp: 5120,
    patchSize: 14,
    imageSize: 224,
    activation: "gelu",
  },
  identity: { tokens: 256, width: 1280 },
  encoder: { crossBlocks: 2, selfBlocks: 2, headWidth: 80 },
  mtd: {
    decoder: { patchSize: 14, width: 1280, poseBlocks: 0, crossBlocks: 2, selfBlocks: 2, headWidth: 80 },
    batch: 16,
    inputs: [3],
    targets: 8,
    maskRatio: 0.95,
    tokens: 160,
    loss: { likeness: 0, perceptual: 0, from: 0, likenessBatch: 24, recognition: 0 },
    backboneRate: 0.1,
    optimisation: { steps: 250_000, warmup: 1000, decay: 0.2, muon: 0.02, adamw: 1e-4, clip: 1, ema: 0.9999 },
  },
};
