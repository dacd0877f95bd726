import { WordEncoder } from "../backbones/words.ts";
import { STEPS } from "../generate/draw-settings.ts";
import { WEB_FORMAT, type WebManifest } from "../web/manifest.ts";
import type { ExportedFlow, ExportedStageOne } from "./load.ts";

/** What a program must know of exported weights beside their graphs. */
export function describeWeights({
  encoder,
  base,
  adapter,
  control,
}: Pick<ExportedStageOne, "encoder"> & ExportedFlow): Omit<WebManifest, "files"> {
  const { name, hash, bundle, preset } = encoder;
  const { backbone, carriedTokens, identityShape, cross_blocks } = bundle.encoder;
  const { drawing, prompts, tokenShape } = base.base;
  const carried = carriedTokens * identityShape[1];
  const numbers = (tensor: typeof bundle.identity_mean) => Array.from(tensor.flatten().toTypedArray() as Float32Array);
  // Where something is carried, identities are compared by that alone.
  const compared = (tensor: typeof bundle.identity_mean) => numbers(tensor).slice(0, carried || undefined);
  return {
    format: WEB_FORMAT,
    encoder: { name, hash },
    imageSize: base.preset.flow.imageSize,
    identity: identityShape,
    blocks: cross_blocks.length,
    backbone: { tokens: backbone.tokens, grid: backbone.grid, inputSize: backbone.inputSize },
    carried,
    statistics: { mean: compared(bundle.identity_mean), deviation: compared(bundle.identity_deviation) },
    drawing: {
      guidance: drawing.guidance ?? preset.flow.guidance.classifierFree,
      steps: drawing.steps ?? STEPS,
      solver: drawing.solver ?? "dpm",
      prompt: base.preset.flow.prompt,
      tokens: tokenShape,
      width: base.preset.flow.flux.width,
      residuals: control.controlnet_blocks.length,
      modulation: adapter.modulation !== undefined,
      extra: adapter.joined !== undefined,
    },
    words: prompts instanceof WordEncoder ? prompts.vocabulary : [],
    mostWords: prompts instanceof WordEncoder ? prompts.length : 0,
    meanFace: numbers(control.mean_face),
    hidden: {
      imageSize: preset.mtd.imageSize,
      patchSize: preset.mtd.decoder.patchSize,
      maskRatio: preset.mtd.maskRatio,
      tokens: preset.mtd.tokens,
    },
  };
}
