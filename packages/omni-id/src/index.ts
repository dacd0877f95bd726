/**
 * Omni-ID for TypeScript: any number of photos of one person → one identity, made for generating that person.
 *
 * @example
 * import { encodeIdentity, loadEncoder, saveIdentity } from "omni-id";
 * const encoder = await loadEncoder();
 * const { identity, refused } = await encodeIdentity(encoder, ["alice1.jpg", "alice2.jpg"]);
 * saveIdentity("alice.safetensors", identity);
 */
export { ControlNet, type ControlNetOptions } from "./adapters/controlnet.ts";
export { IpAdapter, type IpAdapterOptions } from "./adapters/ip-adapter.ts";
export {
  type Autoencoder,
  type AutoencoderOptions,
  FLUX_AUTOENCODER,
  Flux2Autoencoder,
  FluxAutoencoder,
  type FluxAutoencoderOptions,
} from "./backbones/autoencoder.ts";
export { CLIP_L_TEXT, ClipTextModel, type ClipTextOptions } from "./backbones/clip-text.ts";
export { Flux } from "./backbones/flux.ts";
export { FLUX_DEV, FLUX_SCHNELL, FLUX2_KLEIN, type FluxOptions } from "./backbones/flux-options.ts";
export type { FluxInput } from "./backbones/flux-trunk.ts";
export { T5_XXL, T5Encoder, type T5Options } from "./backbones/t5.ts";
export { loadAutoencoder, loadClipText, loadFlux2Autoencoder, loadT5 } from "./checkpoints/encoders.ts";
export { loadControlNet, loadFlux, loadIpAdapter } from "./checkpoints/flux.ts";
export { loadFlux2, loadQwen3 } from "./checkpoints/flux2.ts";
export { unload } from "./checkpoints/load.ts";
export {
  compareIdentities,
  type EncodeOptions,
  type EncodeResult,
  encodeIdentity,
  IdentityEncoder,
  type Photo,
  type Refusal,
  UnusablePhotos,
} from "./encode.ts";
export { Encoder, type EncoderOptions } from "./encoder.ts";
export type { QueryFocus } from "./evaluate/attention-maps.ts";
export { attentionOf } from "./evaluate/attention-photos.ts";
export type { AttentionReport } from "./evaluate/attention-report.ts";
export { type FewToManyOptions, type FewToManyTask, sampleFewToMany } from "./few-to-many.ts";
export { kindOfPictures, REAL_GUIDANCE } from "./generate/draw-settings.ts";
export { FaceGenerator, type GenerateOptions } from "./generate/face-generator.ts";
export { type Identity, loadIdentity, saveIdentity } from "./identity.ts";
export {
  checkEncoder,
  type IdentityValues,
  identityFrom,
  identityMetadata,
  type PhotoNote,
} from "./identity-values.ts";
export { MaskedDecoder, type MaskedDecoderOptions } from "./masked-decoder.ts";
export { mainFace } from "./pictures/choose-faces.ts";
export { EXPRESSIONS, type ExpressionName, expressionNamed } from "./pictures/expressions.ts";
export { toRgb } from "./pictures/picture.ts";
export { presets, resolvePreset } from "./presets/index.ts";
export type { Preset } from "./presets/schema.ts";
export { MaskedTarget } from "./reconstruct.ts";

export { CLIP_TOKENS, T5_TOKENS, Tokenizer } from "./text/tokenizer.ts";
export { type Comparison, openComparison } from "./weights/comparison.ts";
export { type LoadedEncoder, loadEncoder, loadMaskedDecoder } from "./weights/first-stage.ts";
export { hasFlowWeights } from "./weights/flow.ts";
export { shippedWeights } from "./weights/folder.ts";
