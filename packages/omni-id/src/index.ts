/**
 * Omni-ID for TypeScript: any number of photos of one person → one identity, made for generating that person.
 *
 * @example
 * import { encodeIdentity, loadEncoder, saveIdentity } from "omni-id";
 * const encoder = await loadEncoder();
 * const { identity, refused } = await encodeIdentity(encoder, ["alice1.jpg", "alice2.jpg"]);
 * saveIdentity("alice.safetensors", identity);
 */
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
export { type FewToManyOptions, type FewToManyTask, sampleFewToMany } from "./few-to-many.ts";
export { checkEncoder, type Identity, loadIdentity, type PhotoNote, saveIdentity } from "./identity.ts";
export { MaskedDecoder, type MaskedDecoderOptions } from "./masked-decoder.ts";
export { presets, resolvePreset } from "./presets/index.ts";
export type { Preset } from "./presets/schema.ts";
export { MaskedTarget } from "./reconstruct.ts";
export { type LoadedEncoder, loadEncoder, loadMaskedDecoder } from "./weights.ts";
export { shippedWeights } from "./weights-folder.ts";
