import type { Preset } from "./schema.ts";
import { smallNetworks } from "./small-networks.ts";

/**
 * The paper's sizes (section 4.1): CLIP-H with all layers fine-tuned, L = 256, C = 1280, 2 + 2 blocks, MTD 250 K
 * steps at 95 % masked, AdamW alone, all tokens of a target decoded. Batch and rates are not in the paper; these are ours.
 */
export const paper: Preset = {
  name: "paper",
  faceMask: "segmentation",
  backbone: {
    kind: "clip",
    width: 1280,
    layers: 32,
    heads: 16,
    mlp: 5120,
    patchSize: 14,
    imageSize: 224,
    activation: "gelu",
    pretrained: true,
  },
  // Rendered people and those of the paper have eight photos each.
  singles: "once",
  // Half of them, once somebody asks for copies.
  alteredInputs: { copies: 0, share: 0.5 },
  identity: { tokens: 256, width: 1280 },
  representation: { kind: "encoder", photos: "joined" },
  encoder: { crossBlocks: 2, selfBlocks: 2, headWidth: 80, carriedTokens: 0 },
  mtd: {
    // As large as CLIP's input: 16 × 16 tokens of 14 px.
    imageSize: 224,
    decoder: { patchSize: 14, width: 1280, poseBlocks: 0, crossBlocks: 2, selfBlocks: 2, headWidth: 80 },
    batch: 16,
    inputs: [3],
    targets: 8,
    targetsFrom: "all",
    maskRatio: 0.95,
    tokens: 256,
    loss: { likeness: 0, perceptual: 0, from: 0, likenessBatch: 24 },
    encoderRate: 1,
    backboneRate: 0.1,
    optimisation: { steps: 250_000, warmup: 1000, decay: 0.2, muon: 0, adamw: 1e-4, clip: 1, ema: 0.9999 },
  },
  flow: {
    pictures: "faces",
    // FLUX.1-dev has seen nothing smaller than 256 px; the paper's pictures are of 512 px.
    imageSize: 512,
    latents: { kind: "flux" },
    prompts: { kind: "t5-clip", length: 512 },
    packing: 2,
    flux: {
      generation: 1,
      vectorWidth: 768,
      contextWidth: 4096,
      width: 3072,
      heads: 24,
      mlpRatio: 4,
      doubleBlocks: 19,
      singleBlocks: 38,
      axes: [16, 56, 56],
      guidance: true,
    },
    layout: false,
    prompt: "photo of a person.",
    // FLUX.1-dev's own: distilled at 3.5, and nothing on top of it.
    guidance: { distilled: 3.5, classifierFree: 1, text: 1 },
    // FLUX.1-dev is pretrained; these figures would train one of its size from nothing.
    base: {
      batch: 64,
      captions: 1,
      faceWeight: 1,
      times: { kind: "uniform" },
      optimisation: { steps: 1_000_000, warmup: 1000, decay: 0.1, muon: 0, adamw: 1e-4, clip: 1, ema: 0.9999 },
    },
    adapter: {
      batch: 4,
      inputs: [3],
      targets: 8,
      targetsFrom: "all",
      times: { kind: "uniform" },
      captions: 0,
      faceWeight: 1,
      encoderRate: 1,
      baseRate: 0,
      told: 1,
      standardise: false,
      joined: false,
      single: false,
      reference: false,
      modulation: false,
      landmarks: false,
      likeness: 0,
      likenessAbove: 0,
      likenessBelow: 0.7,
      checkpoint: true,
      likenessBatch: 8,
      optimisation: { steps: 10_000, warmup: 500, decay: 0.2, muon: 0, adamw: 1e-4, clip: 1, ema: 0.999 },
    },
    control: {
      batch: 32,
      doubleBlocks: 2,
      strides: [1, 1, 2, 1, 2, 1, 2, 1],
      identity: 0.5,
      // Without it 32 pictures of 512 px would keep about 150 GB.
      checkpoint: true,
      optimisation: { steps: 50_000, warmup: 500, decay: 0.2, muon: 0, adamw: 1e-4, clip: 1, ema: 0.999 },
    },
  },
  // A checkpoint of stage one is 12 GB.
  ...smallNetworks,
  every: { save: 1000, keep: 0, heldOut: 5000 },
};
