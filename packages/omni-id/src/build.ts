import { nn } from "@omni-id/torch";
import { ClipBackbone } from "./backbones/clip.ts";
import { FEATURE, RecogniserBackbone } from "./backbones/recogniser.ts";
import { Encoder } from "./encoder.ts";
import { MaskedDecoder } from "./masked-decoder.ts";
import type { Preset } from "./presets/schema.ts";

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
export function buildMaskedDecoder({ imageSize, identity, mtd }: Preset): MaskedDecoder {
  return new MaskedDecoder({ imageSize, identityWidth: identity.width, ...mtd.decoder });
}

/** Tokens of ℓ that the recognition layer reads: all 32 of the nano preset would take two million weights. */
export const RECOGNITION_TOKENS = 4;

/** The layer that reads the recogniser's feature of the person from ℓ, `[4 · C] → [512]`, if the preset weighs it. */
export function buildRecognition({ identity, mtd }: Preset): nn.Linear | undefined {
  if (mtd.loss.recognition === 0) return undefined;
  return new nn.Linear({ in: Math.min(RECOGNITION_TOKENS, identity.tokens) * identity.width, out: FEATURE });
}
