import { join } from "node:path";
import type { Backbone } from "../backbones/backbone.ts";
import { ClipBackbone, ClipVisionModel } from "../backbones/clip.ts";
import { loadModel } from "../checkpoints/load.ts";
import { openCheckpoint } from "../checkpoints/open.ts";
import { wantedPath } from "../checkpoints/wanted.ts";
import type { Preset } from "../presets/schema.ts";
import { CLIP_FILE } from "./clip.ts";
import { openWeightsFile } from "./file.ts";

/**
 * Puts the pretrained weights under a fresh encoder: for CLIP those that `omni-id models` names, unless the preset wants
 * none. A recogniser brings its own.
 * @throws one line when the file is missing, incomplete, or of another size than the preset's
 */
export async function startFromPretrained(backbone: Backbone, preset: Preset["backbone"]): Promise<void> {
  if (!(backbone instanceof ClipBackbone) || preset.kind !== "clip" || !preset.pretrained) return;
  if (typeof preset.pretrained === "string") return startFromSmall(backbone, preset.pretrained);
  const checkpoint = openCheckpoint(wantedPath("CLIP ViT-H/14's image encoder"), "clip-vision");
  const vision = loadModel(checkpoint, () => new ClipVisionModel(preset), { dtype: "float32" });
  const state = vision.stateDict();
  backbone.clip.loadStateDict(state);
  for (const tensor of state.values()) tensor.dispose();
}

/** The image tower of a CLIP that was trained here. @throws one line when it is missing, or of another size */
async function startFromSmall(backbone: ClipBackbone, folder: string): Promise<void> {
  const { tensors } = await openWeightsFile(join(folder, CLIP_FILE), "clip");
  const wanted = backbone.clip.stateDict();
  const state = new Map([...tensors].filter(([key]) => wanted.has(key)));
  try {
    backbone.clip.loadStateDict(state);
  } catch (error) {
    throw new Error(`${join(folder, CLIP_FILE)}: another CLIP than the preset's backbone: ${(error as Error).message}`);
  }
}
