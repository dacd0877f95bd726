export { type AttentionOptions, attention } from "./attention.ts";
export {
  BatchNorm,
  Conv2d,
  type Conv2dOptions,
  Embedding,
  GELU,
  GroupNorm,
  type Layer,
  LayerNorm,
  Linear,
  RMSNorm,
  Sequential,
  SiLU,
} from "./layers.ts";
export { buffer, type LoadOptions, Module, parameter } from "./module.ts";
