import type { Backbone } from "../backbones/backbone.ts";
import { ClipBackbone, ClipVisionModel } from "../backbones/clip.ts";
import type { Preset } from "../presets/schema.ts";
import { loadModel } from "./load.ts";
import { openCheckpoint } from "./open.ts";
import { wantedPath } from "./wanted.ts";

/**
 * Puts the pretrained weights under a fresh encoder: for CLIP those that `omni-id models` names, unless the preset wants
 * none. A recogniser brings its own.
 * @throws one line when the file is missing, incomplete, or of another size than the preset's
 */
export function startFromPretrained(backbone: Backbone, preset: Preset["backbone"]): void {
  if (!(backbone instanceof ClipBackbone) || preset.kind !== "clip" || !preset.pretrained) return;
  const checkpoint = openCheckpoint(wantedPath("CLIP ViT-H/14's image encoder"), "clip-vision");
  const vision = loadModel(checkpoint, () => new ClipVisionModel(preset), { dtype: "float32" });
  const state = vision.stateDict();
  backbone.clip.loadStateDict(state);
  for (const tensor of state.values()) tensor.dispose();
}
