import { LandmarkControl } from "../adapters/landmark-control.ts";
import type { Autoencoder } from "../backbones/autoencoder.ts";
import { ClipBackbone } from "../backbones/clip.ts";
import { Flux } from "../backbones/flux.ts";
import { LinearAutoencoder } from "../backbones/linear-autoencoder.ts";
import { RecogniserBackbone } from "../backbones/recogniser.ts";
import { type PromptEncoder, WordEncoder } from "../backbones/words.ts";
import { Encoder } from "../encoder.ts";
import { FlowBase } from "../flow-base.ts";
import { FlowAdapter } from "../flow-decoder.ts";
import { MaskedDecoder } from "../masked-decoder.ts";
import type { FlowPreset, Preset } from "../presets/schema.ts";

/** The encoder that a preset describes, with fresh weights around the pretrained backbone. */
export function buildEncoder(preset: Preset): Encoder {
  const { backbone, identity, encoder, mtd } = preset;
  return new Encoder({
    backbone:
      backbone.kind === "clip"
        ? new ClipBackbone(backbone)
        : RecogniserBackbone.load({ width: backbone.width, trainTail: mtd.backboneRate > 0 }),
    queries: identity.tokens,
    width: identity.width,
    ...encoder,
  });
}

/** The masked transformer decoder that a preset describes. */
export function buildMaskedDecoder({ identity, mtd }: Preset): MaskedDecoder {
  return new MaskedDecoder({ imageSize: mtd.imageSize, identityWidth: identity.width, ...mtd.decoder });
}

/** The flow model that a preset describes, with fresh weights. */
export function buildFlowBase({ flow }: Preset): FlowBase {
  const latents = buildLatents(flow);
  const inChannels = latents.latentChannels * flow.packing ** 2;
  return new FlowBase({
    latents,
    prompts: buildPrompts(flow),
    flux: new Flux({ ...flow.flux, inChannels }),
    packing: flow.packing,
    imageSize: flow.imageSize,
    distilledGuidance: flow.guidance.distilled,
  });
}

/** The second decoder that a preset describes: what tells its flow model of an identity. */
export function buildFlowAdapter({ identity, flow }: Preset): FlowAdapter {
  const { joined, modulation, single, reference } = flow.adapter;
  const ways = { joined, modulation, single, reference };
  return new FlowAdapter({ identity: [identity.tokens, identity.width], flux: flow.flux, ...ways });
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

function buildLatents({ latents }: FlowPreset): Autoencoder {
  if (latents.kind === "linear") return new LinearAutoencoder(latents);
  throw new Error(
    "this preset takes a published flow model as it is: nothing to train here. Its files: omni-id models",
  );
}

function buildPrompts({ prompts, flux }: FlowPreset): PromptEncoder {
  if (prompts.kind === "words")
    return new WordEncoder({ ...prompts, context: flux.contextWidth, vector: flux.vectorWidth });
  throw new Error("this preset takes published text encoders as they are. Their files: omni-id models");
}
