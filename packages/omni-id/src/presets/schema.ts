import { z } from "zod";

const count = z.int().positive();
const positive = z.number().positive();
const share = z.number().min(0).max(1);

const blocks = z.strictObject({
  crossBlocks: z.int().min(0),
  selfBlocks: z.int().min(0),
  headWidth: count,
});

/** What a training run does with its optimisers. Rates are those of the constant phase. */
const optimisation = z.strictObject({
  steps: count,
  /** Steps of linear warm-up. */
  warmup: z.int().min(0),
  /** Share of the steps, at the end, over which the rates fall linearly to zero. */
  decay: share,
  /** Muon's rate, for hidden matrices. */
  muon: positive,
  /** AdamW's rate, for everything else. */
  adamw: positive,
  /** Largest norm of the gradient. */
  clip: positive,
  /** Decay of the moving average of the weights, which is what ships. */
  ema: share,
});

const backbone = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("onnx"), width: count }),
  z.strictObject({
    kind: z.literal("clip"),
    width: count,
    layers: count,
    heads: count,
    mlp: count,
    patchSize: count,
    imageSize: count,
    activation: z.enum(["gelu", "quick_gelu"]),
  }),
]);

export const presetSchema = z.strictObject({
  name: z.string(),
  /** Side of a target image, in pixels. */
  imageSize: count,
  backbone,
  /** ℓ: L tokens of C channels. */
  identity: z.strictObject({ tokens: count, width: count }),
  encoder: blocks,
  mtd: z.strictObject({
    decoder: blocks.extend({ patchSize: count, width: count, poseBlocks: z.int().min(0) }),
    /** Identities in a step. */
    batch: count,
    /** |𝒳ˢ|: one of these is drawn for each step. */
    inputs: z.array(count).min(1),
    /** |𝒳ʳ| */
    targets: count,
    maskRatio: share,
    /** Tokens decoded of each target. */
    tokens: count,
    loss: z.strictObject({
      /** Weight of 1 − cosine between the recogniser's features of reconstruction and target; 0 in the paper. */
      likeness: z.number().min(0),
      /** Weight of the recogniser's inner map beside its last feature; 0 in the paper. */
      perceptual: z.number().min(0),
      /** Share of the steps, from the first one on, in which the two above do not count yet: a blur has no likeness to gain. */
      from: share,
      /** Reconstructions per step that they look at. */
      likenessBatch: count,
      /** Weight of 1 − cosine between the recogniser's mean feature of the person and what a linear layer reads from ℓ; 0 in the paper. */
      recognition: z.number().min(0),
    }),
    /** Rate of the backbone's network as a share of AdamW's; 0 keeps it frozen. */
    backboneRate: share,
    optimisation,
  }),
});

/** Everything by which two ways of running the same code differ: numbers only. */
export type Preset = z.infer<typeof presetSchema>;
export type MtdPreset = Preset["mtd"];
export type Optimisation = z.infer<typeof optimisation>;
