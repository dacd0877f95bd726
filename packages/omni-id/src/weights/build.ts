import { LandmarkControl } from "../adapters/landmark-control.ts";
import type { Autoencoder } from "../backbones/autoencoder.ts";
import type { Backbone } from "../backbones/backbone.ts";
import { ClipBackbone, clipTokens } from "../backbones/clip.ts";
import { Flux } from "../backbones/flux.ts";
import { LinearAutoencoder } from "../backbones/linear-autoencoder.ts";
import { RecogniserBackbone, recogniserTokens } from "../backbones/recogniser.ts";
import { SentenceEncoder } from "../backbones/sentences.ts";
import { SmoothedAutoencoder } from "../backbones/smoothed-autoencoder.ts";
import { type PromptEncoder, WordEncoder } from "../backbones/words.ts";
import { Encoder } from "../encoder.ts";
import { FlowBase } from "../flow-base.ts";
import { FlowAdapter } from "../flow-decoder.ts";
import { MaskedDecoder } from "../masked-decoder.ts";
import { LAYOUT_CHANNELS } from "../pictures/head-layout.ts";
import type { FlowPreset, Preset } from "../presets/schema.ts";
import { ArcFaceRepresentation } from "../representations/arcface.ts";
import { ArcFaceClipRepresentation } from "../representations/arcface-clip.ts";
import { ImageTokensRepresentation } from "../representations/image-tokens.ts";
import type { Representation } from "../representations/representation.ts";

/** The encoder that a preset describes, with fresh weights around the pretrained backbone. */
export function buildEncoder(preset: Preset): Encoder {
  const { identity, encoder } = preset;
  return new Encoder({ backbone: buildBackbone(preset), queries: identity.tokens, width: identity.width, ...encoder });
}

/**
 * What stands for a person by a preset, with fresh weights: the encoder, or a representation of section 4.1.
 * @throws when "clip" is asked of another backbone
 */
export function buildRepresentation(preset: Preset): Representation {
  const { representation, identity, encoder } = preset;
  const { kind, photos } = representation;
  if (kind === "encoder") return buildEncoder(preset);
  if (kind.includes("clip") && preset.backbone.kind !== "clip") {
    throw new Error(
      `representation.kind=${kind} wants CLIP as the backbone, and preset ${preset.name} has none; choose arcface or backbone, or a preset with CLIP`,
    );
  }
  const backbone = buildBackbone(preset);
  const sizes = { backbone, photos, tokens: identity.tokens, width: identity.width };
  if (kind === "arcface") return new ArcFaceRepresentation(sizes);
  return kind === "arcface-clip"
    ? new ArcFaceClipRepresentation({ ...sizes, ...encoder })
    : new ImageTokensRepresentation(sizes);
}

function buildBackbone({ backbone, mtd }: Preset): Backbone {
  return backbone.kind === "clip"
    ? new ClipBackbone(backbone)
    : RecogniserBackbone.load({ width: backbone.width, trainTail: mtd.backboneRate > 0 });
}

/** The masked transformer decoder that a preset describes. */
export function buildMaskedDecoder({ identity, mtd }: Preset): MaskedDecoder {
  return new MaskedDecoder({ imageSize: mtd.imageSize, identityWidth: identity.width, ...mtd.decoder });
}

/** The flow model that a preset describes, with fresh weights. */
export function buildFlowBase({ flow }: Preset): FlowBase {
  const latents = buildLatents(flow);
  const outChannels = latents.latentChannels * flow.packing ** 2;
  const layoutChannels = flow.layout ? LAYOUT_CHANNELS : 0;
  return new FlowBase({
    latents,
    prompts: buildPrompts(flow),
    flux: new Flux({ ...flow.flux, inChannels: outChannels + layoutChannels, outChannels }),
    layoutChannels,
    packing: flow.packing,
    imageSize: flow.imageSize,
    distilledGuidance: flow.guidance.distilled,
  });
}

/** The first way of an adapter, if any, that takes one number of tokens, where there may be as many as there are photos. */
export const fixedWay = ({ adapter }: Preset["flow"]): "joined" | "modulation" | "reference" | undefined =>
  (["joined", "modulation", "reference"] as const).find((way) => adapter[way]);

/**
 * The second decoder that a preset describes: what tells its flow model of an identity.
 * @throws when it is to be told of as many tokens as there are photos in a way that takes a fixed number
 */
export function buildFlowAdapter(preset: Preset): FlowAdapter {
  const { representation, flow } = preset;
  const { joined, modulation, single, reference } = flow.adapter;
  const ways = { joined, modulation, single, reference };
  const fixed = fixedWay(flow);
  if (fixed && representation.kind !== "encoder" && representation.photos === "joined") {
    throw new Error(
      `flow.adapter.${fixed} takes one number of tokens, and representation.photos=joined makes as many as there are photos; choose representation.photos=mean, or preset nano-paper`,
    );
  }
  return new FlowAdapter({ identity: identityShapeOf(preset), flux: flow.flux, ...ways });
}

/** Tokens and channels of what stands for a person by a preset, made from one photo. */
function identityShapeOf({ representation: { kind }, backbone, identity }: Preset): [number, number] {
  if (kind !== "clip" && kind !== "backbone") return [identity.tokens, identity.width];
  const tokens = backbone.kind === "clip" ? clipTokens(backbone) : recogniserTokens(backbone.width);
  return [tokens, backbone.width];
}

/** The ControlNet on landmarks that a preset describes, for a flow model of the same preset. */
export function buildControl({ flow }: Preset, { flux, latents }: FlowBase): LandmarkControl {
  const { doubleBlocks, strides } = flow.control;
  const reduced = strides.reduce((product, stride) => product * stride, 1);
  const token = latents.factor * flow.packing;
  if (token % reduced !== 0) {
    throw new Error(`flow.control.strides: they reduce a picture by ${reduced}, but a token is ${token} pixels wide`);
  }
  return new LandmarkControl({ flux: flux.options, blocks: doubleBlocks, hint: { strides, patch: token / reduced } });
}

/** A preset's own autoencoder, with fresh weights. @throws when it takes a published one */
export function buildLatents({ latents }: FlowPreset): Autoencoder {
  if (latents.kind === "smoothed") return new SmoothedAutoencoder(latents);
  if (latents.kind === "linear") return new LinearAutoencoder(latents);
  throw new Error(
    "this preset takes a published flow model as it is: nothing to train here. Its files: omni-id models",
  );
}

function buildPrompts({ prompts, flux }: FlowPreset): PromptEncoder {
  if (prompts.kind === "words")
    return new WordEncoder({ ...prompts, context: flux.contextWidth, vector: flux.vectorWidth });
  if (prompts.kind === "transformer")
    return new SentenceEncoder({ ...prompts, context: flux.contextWidth, vector: flux.vectorWidth });
  throw new Error("this preset takes published text encoders as they are. Their files: omni-id models");
}
