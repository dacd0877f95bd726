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
  /** 0 leaves the first weights as they are: an ablation. */
  steps: z.int().min(0),
  /** Steps of linear warm-up. */
  warmup: z.int().min(0),
  /** Share of the steps, at the end, over which the rates fall linearly to zero. */
  decay: share,
  /** Muon's rate, for hidden matrices; 0 gives them to AdamW too, which is the paper's form. */
  muon: z.number().min(0),
  /** AdamW's rate, for everything else. */
  adamw: positive,
  /** Largest norm of the gradient. */
  clip: positive,
  /** Decay of the moving average of the weights, which is what ships. */
  ema: share,
});

/** Which photos of a person are to be made: any of theirs, as in the paper, or those alone that the encoder sees. */
const targetsFrom = z.enum(["all", "inputs"]);

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
    /** Start from the weights that `omni-id models` names, or from those of a folder (`train clip`); else from nothing. */
    pretrained: z.union([z.boolean(), z.string().min(1)]),
  }),
]);

/** How the times t of flow matching are drawn: U(0, 1) as in the paper, or sigmoid(mean + normal). */
const times = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("uniform") }),
  z.strictObject({ kind: z.literal("logit-normal"), mean: z.number() }),
]);

const flow = z.strictObject({
  /** What is drawn: aligned faces, or the whole of those pictures that are scenes (`omni-id data synth --scenes`). */
  pictures: z.enum(["faces", "scenes"]),
  /** Side of the pictures that are drawn, and of those trained on, in pixels. */
  imageSize: count,
  latents: z.discriminatedUnion("kind", [
    /** Principal directions of patches. */
    z.strictObject({ kind: z.literal("linear"), patchSize: count, channels: count }),
    /** Such directions, and a network that sees all patches of a picture together (`train autoencoder`). */
    z.strictObject({
      kind: z.literal("smoothed"),
      patchSize: count,
      channels: count,
      smoother: z.strictObject({ channels: count, blocks: count, groups: count }),
    }),
    /** FLUX's own autoencoder. */
    z.strictObject({ kind: z.literal("flux") }),
    /** FLUX.2's. */
    z.strictObject({ kind: z.literal("flux2") }),
  ]),
  prompts: z.discriminatedUnion("kind", [
    /** A learned vector for each of the most frequent words. */
    z.strictObject({ kind: z.literal("words"), vocabulary: count, length: count }),
    /** A small transformer over such words: it knows their order. */
    z.strictObject({
      kind: z.literal("transformer"),
      vocabulary: count,
      length: count,
      width: count,
      layers: count,
      heads: count,
    }),
    /** FLUX's own text encoders. */
    z.strictObject({ kind: z.literal("t5-clip"), length: count }),
    /** FLUX.2's: Qwen3, the states after three of its layers. */
    z.strictObject({ kind: z.literal("qwen3"), length: count, layers: z.array(count).min(1) }),
  ]),
  /** Side of the square of latents that makes one token. */
  packing: count,
  flux: z.strictObject({
    /** Blocks of FLUX.1, or of FLUX.2: one modulation for all of them, gated MLPs, no bias, no pooled text. */
    generation: z.literal([1, 2]),
    /** Channels of the pooled text; 0 in FLUX.2. */
    vectorWidth: z.int().min(0),
    contextWidth: count,
    width: count,
    heads: count,
    mlpRatio: positive,
    doubleBlocks: z.int().min(0),
    singleBlocks: z.int().min(0),
    axes: z.array(count),
    guidance: z.boolean(),
  }),
  /** Each token of a picture is told where the head is and how it is held, behind its latents; not in the paper. */
  layout: z.boolean(),
  /** The prompt of all identity training. */
  prompt: z.string(),
  guidance: z.strictObject({
    /** The guidance scale that a distilled model is told, in training and drawing; others are told none. */
    distilled: positive,
    /** Guidance of drawn pictures against the same model without the identity; 1 is none. */
    classifierFree: positive,
    /** Guidance of scenes for their words, against the fixed prompt, both without the identity (section 4.3); 1 is none. */
    text: positive,
  }),
  /** Training of the base from nothing; the paper takes a pretrained one. */
  base: z.strictObject({
    batch: count,
    /** Share of pictures that are told with their captions, the rest with the fixed prompt. */
    captions: share,
    /** How much the tokens of a face count over the others; 1: all alike. */
    faceWeight: positive,
    times,
    optimisation,
  }),
  /** Stage two: the IP-Adapter and the encoder on the frozen base. */
  adapter: z.strictObject({
    /** Identities in a step. */
    batch: count,
    inputs: z.array(count).min(1),
    targets: count,
    targetsFrom,
    times,
    /** Share of the targets that are told with their own captions, the rest with the fixed prompt alone (section 4.3). */
    captions: share,
    /** How much the tokens of a face count over the others; 1, the paper's form: all alike. */
    faceWeight: positive,
    /** The encoder's rates as a share of the adapter's. */
    encoderRate: share,
    /** The flow base's rates as a share of the adapter's; 0, the paper's form: it stays frozen. */
    baseRate: share,
    /** Share of the targets that are told whom to draw; less than 1 keeps a base that learns along what it is without. */
    told: share,
    /** ℓ less its mean over training people, over its deviation; the paper's adapter takes ℓ as it is. */
    standardise: z.boolean(),
    /** Identity tokens also joined to the text tokens; not in the paper. */
    joined: z.boolean(),
    /** The decoupled attention in the single blocks too; the paper's form asks in double blocks only. */
    single: z.boolean(),
    /** Identity tokens also behind the picture's, as if they were a reference photo; not in the paper. */
    reference: z.boolean(),
    /** The identity also in the vector that modulates every block; not in the paper. */
    modulation: z.boolean(),
    /** The target's landmarks are given too, through a ControlNet that learns along: controllable generation (section 4.2). */
    landmarks: z.boolean(),
    /** Weight of 1 − cosine between the recogniser's features of the picture that the model sees and the target; 0 in the paper. */
    likeness: z.number().min(0),
    /** Likeness counts below this time only: above it there is no face yet. */
    likenessBelow: share,
    /** Likeness counts from this time on only: below it the face is decided, and the target is all but seen. */
    likenessAbove: share,
    /** Activation checkpointing in the frozen model: memory for time. */
    checkpoint: z.boolean(),
    /** Pictures a step that likeness looks at. */
    likenessBatch: count,
    optimisation,
  }),
  /** The ControlNet on pictures of landmarks (section 4.3). */
  control: z.strictObject({
    batch: count,
    doubleBlocks: count,
    /** Strides of the hint's convolutions: their product is the pixels along one side of a token. */
    strides: z.array(count),
    /** Share of the steps in which the identity is given too. */
    identity: share,
    /** Activation checkpointing, in the frozen model too: memory for time. */
    checkpoint: z.boolean(),
    optimisation,
  }),
});

export const presetSchema = z.strictObject({
  name: z.string(),
  /**
   * Mʳ of training pictures: `segmentation`, the mask that lies beside a picture; `outline-skin`, that mask where there
   * is one, else the outline of 68 landmarks without what has not the colours of skin above the brows.
   */
  faceMask: z.enum(["segmentation", "outline-skin"]),
  backbone,
  /**
   * Training people who have one photo. "once": they take part where one is enough, in the flow base and the ControlNet;
   * "altered": in few-to-many too, where their photo is to be made from an altered copy of it.
   */
  singles: z.enum(["once", "altered"]),
  /**
   * Altered copies of training photos, as another camera, hand or file would have them: how many of each are prepared,
   * and how often an input of few-to-many is one of its photo's copies. Targets are photos as they are. No copies in the
   * paper.
   */
  alteredInputs: z.strictObject({ copies: z.int().min(0), share }),
  /** ℓ: L tokens of C channels. */
  identity: z.strictObject({ tokens: count, width: count }),
  /**
   * What stands for a person (section 4.1): the Omni-ID encoder, or what the paper compares it with: the recogniser's
   * feature, all tokens of CLIP, both, or all tokens of the preset's own backbone.
   */
  representation: z.strictObject({
    kind: z.enum(["encoder", "arcface", "clip", "arcface-clip", "backbone"]),
    /** How several photos enter one that is made for one photo: tokens side by side, or their mean. The encoder joins. */
    photos: z.enum(["joined", "mean"]),
  }),
  encoder: blocks.extend({
    /** Tokens of ℓ that carry the mean of the photos' class tokens; the paper has none. */
    carriedTokens: z.int().min(0),
  }),
  mtd: z.strictObject({
    /** Side of a target picture, in pixels. */
    imageSize: count,
    decoder: blocks.extend({ patchSize: count, width: count, poseBlocks: z.int().min(0) }),
    /** Identities in a step. */
    batch: count,
    /** |𝒳ˢ|: one of these is drawn for each step. */
    inputs: z.array(count).min(1),
    /** |𝒳ʳ| */
    targets: count,
    targetsFrom,
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
    }),
    /** The encoder's rates as a share of the decoder's; 0 keeps a given encoder as it is. */
    encoderRate: share,
    /** Rate of the backbone's network as a share of AdamW's; 0 keeps it frozen. */
    backboneRate: share,
    optimisation,
  }),
  /** Decoder 2, flow matching (section 3.3), and what is built on it. */
  flow,
  /** A CLIP of pictures and their captions (`train clip`); its image tower is the backbone's, or nano's. */
  clip: z.strictObject({
    /** Channels of what pictures and texts share. */
    projection: count,
    text: z.strictObject({ words: count, length: count, width: count, layers: count, heads: count, mlp: count }),
    /** Pictures of different people that are told apart in a step. */
    batch: z.int().min(2),
    optimisation,
  }),
  /** What smooths pictures of patches (`train autoencoder`). */
  autoencoder: z.strictObject({
    batch: count,
    /** Deviation of what is added to the latents, whose own is 1. */
    noise: z.number().min(0),
    /** How much the pixels of a face count over the others. */
    faceWeight: positive,
    optimisation,
  }),
  /** What reads off a picture whether a prompt was followed (`evaluate --stage personalise`). */
  attributes: z.strictObject({
    /** Side of a picture, in pixels. */
    imageSize: count,
    /** Channels of the first level. */
    width: count,
    batch: count,
    optimisation,
  }),
  /** Steps between what a run leaves behind. */
  every: z.strictObject({
    /** The checkpoint that a run goes on from. */
    save: count,
    /** A checkpoint that stays; 0: none. */
    keep: z.int().min(0),
    /** Figures and a picture of validation people. */
    heldOut: count,
  }),
});

/** Everything by which two ways of running the same code differ: numbers only. */
export type Preset = z.infer<typeof presetSchema>;
export type MtdPreset = Preset["mtd"];
export type FlowPreset = Preset["flow"];
export type FlowTimes = z.infer<typeof times>;
export type Optimisation = z.infer<typeof optimisation>;
