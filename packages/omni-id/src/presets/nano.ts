import type { Preset } from "./schema.ts";
import { smallNetworks } from "./small-networks.ts";

/** Learns on two CPU cores within an hour a stage. The default of every command. */
export const nano: Preset = {
  name: "nano",
  faceMask: "outline-skin",
  backbone: { kind: "onnx", width: 256 },
  // Rendered people and those of the paper have eight photos each.
  singles: "once",
  // Half of them, once somebody asks for copies.
  alteredInputs: { copies: 0, share: 0.5 },
  identity: { tokens: 32, width: 128 },
  representation: { kind: "encoder", photos: "joined" },
  // The recogniser has seen real faces, the rest of the encoder only rendered ones: four tokens carry its feature as it is.
  encoder: { crossBlocks: 2, selfBlocks: 2, headWidth: 32, carriedTokens: 4 },
  mtd: {
    imageSize: 64,
    // 16×16 target tokens: 95 % masked leaves 13 visible, as at paper scale; 3 of 64 could not tell the pose.
    // Two self-attention blocks before the identity is asked: the decoder has to know the pose first.
    decoder: { patchSize: 4, width: 128, poseBlocks: 2, crossBlocks: 2, selfBlocks: 2, headWidth: 32 },
    batch: 16,
    // The paper's 3, and its neighbours, so that one photo and five are met in training too.
    inputs: [1, 2, 3, 4, 5],
    targets: 8,
    targetsFrom: "all",
    maskRatio: 0.95,
    tokens: 112,
    // L1 alone, the paper's form, is likeness=0. Likeness begins with the fall of the rates: a blur has none to gain.
    loss: { likeness: 0.1, perceptual: 0, from: 0.6, likenessBatch: 24 },
    encoderRate: 1,
    backboneRate: 0,
    optimisation: { steps: 2000, warmup: 20, decay: 0.35, muon: 0.02, adamw: 1e-3, clip: 1, ema: 0.995 },
  },
  flow: {
    pictures: "faces",
    imageSize: 64,
    // Principal directions lose less than a small convolutional autoencoder, and cost nothing to train.
    latents: { kind: "linear", patchSize: 8, channels: 48 },
    prompts: { kind: "words", vocabulary: 126, length: 24 },
    packing: 1,
    // Width 192 and not 256: all shipped files together stay below 25 MB.
    flux: {
      generation: 1,
      vectorWidth: 64,
      contextWidth: 64,
      width: 192,
      heads: 6,
      mlpRatio: 4,
      doubleBlocks: 2,
      singleBlocks: 4,
      axes: [8, 12, 12],
      guidance: false,
    },
    layout: false,
    prompt: "photo of a person.",
    guidance: { distilled: 3.5, classifierFree: 3, text: 1 },
    base: {
      batch: 64,
      captions: 0.5,
      faceWeight: 1,
      // Towards the noise, where the picture is decided.
      times: { kind: "logit-normal", mean: 0.4 },
      optimisation: { steps: 3000, warmup: 20, decay: 0.4, muon: 0.02, adamw: 1e-3, clip: 1, ema: 0.998 },
    },
    adapter: {
      batch: 24,
      inputs: [1, 2, 3, 4, 5],
      targets: 3,
      targetsFrom: "all",
      times: { kind: "logit-normal", mean: 0.4 },
      captions: 0,
      faceWeight: 1,
      // Along with the adapter, as in the paper, at a rate that keeps what stage one has learned.
      encoderRate: 0.3,
      baseRate: 0,
      told: 1,
      standardise: true,
      joined: true,
      single: false,
      reference: false,
      modulation: true,
      landmarks: false,
      likeness: 0.3,
      likenessAbove: 0,
      likenessBelow: 0.7,
      checkpoint: false,
      likenessBatch: 24,
      // A rate of 0.02 damages what the frozen base can do.
      optimisation: { steps: 900, warmup: 50, decay: 0.4, muon: 0.003, adamw: 1e-3, clip: 1, ema: 0.995 },
    },
    control: {
      batch: 64,
      doubleBlocks: 2,
      strides: [1, 2, 2, 2, 1],
      // Landmarks alone: identities come in through the adapter, which never saw landmarks either.
      identity: 0,
      checkpoint: false,
      optimisation: { steps: 2000, warmup: 50, decay: 0.4, muon: 0.01, adamw: 1e-3, clip: 1, ema: 0.995 },
    },
  },
  ...smallNetworks,
  every: { save: 250, keep: 0, heldOut: 500 },
};
