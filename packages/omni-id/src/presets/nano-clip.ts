import type { Preset } from "./schema.ts";

/**
 * A CLIP of two million parameters for faces of 64 px (`omni-id train clip`), as a backbone: `--set backbone=nano-clip`. What
 * CLIP-H is to the paper it is to the experiments.
 */
export const NANO_CLIP = {
  kind: "clip",
  width: 192,
  layers: 4,
  heads: 6,
  mlp: 768,
  patchSize: 8,
  imageSize: 64,
  activation: "gelu",
  // Where `train clip` leaves it.
  pretrained: "runs/clip/weights",
} as const satisfies Preset["backbone"];
