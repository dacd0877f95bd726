import type { Preset } from "./schema.ts";

/** Learns on two CPU cores within an hour a stage. The default of every command. */
export const nano: Preset = {
  name: "nano",
  imageSize: 64,
  backbone: { kind: "onnx", width: 256 },
  identity: { tokens: 32, width: 128 },
  encoder: { crossBlocks: 2, selfBlocks: 2, headWidth: 32 },
  mtd: {
    // 16×16 target tokens: 95 % masked leaves 13 visible, as at paper scale; 3 of 64 could not tell the pose.
    // Two self-attention blocks before the identity is asked: the decoder has to know the pose first.
    decoder: { patchSize: 4, width: 128, poseBlocks: 2, crossBlocks: 2, selfBlocks: 2, headWidth: 32 },
    batch: 16,
    // The paper's 3, and its neighbours, so that one photo and five are met in training too.
    inputs: [1, 2, 3, 4, 5],
    targets: 8,
    maskRatio: 0.95,
    tokens: 112,
    loss: { likeness: 0, perceptual: 0, from: 0.6, likenessBatch: 24, recognition: 0 },
    backboneRate: 0,
    optimisation: { steps: 4000, warmup: 20, decay: 0.35, muon: 0.02, adamw: 1e-3, clip: 1, ema: 0.995 },
  },
};
