import { ClipBackbone } from "../../backbones/clip.ts";
import type { People } from "../../people/people.ts";
import { vocabularyOf } from "../../text/prompt-words.ts";
import { buildClip, type ClipWithWords, clipVisionOf } from "../../weights/clip.ts";
import { type OpenStageOptions, openStagePeople } from "../stage-people.ts";
import { ClipStage } from "./stage.ts";

export interface OpenedClip {
  stage: ClipStage;
  clip: ClipWithWords;
  people: People;
}

/** Both towers on people's photos, or on whole scenes where the preset draws them, and captions. @throws when nobody wrote captions, or there is one person alone */
export async function openClipStage(options: OpenStageOptions): Promise<OpenedClip> {
  const { preset, data, seed } = options;
  const vision = clipVisionOf(preset);
  const { pictures } = preset.flow;
  const { people, validation } = await openStagePeople(options, {
    imageSize: vision.imageSize,
    pictures,
    backbone: new ClipBackbone(vision),
  });
  if (people.captions.every((caption) => caption === ""))
    throw new Error(`${data[0]}: no photo has a caption, which CLIP learns from: omni-id data synth writes some`);
  if (people.ids.length < 2) throw new Error(`${data[0]}: one person alone cannot be told from others`);
  const clip = buildClip(preset, vocabularyOf([...people.captions, ...people.wordings.flat()], preset.clip.text.words));
  const stage = new ClipStage({ ...clip, people, validation, pictures, batch: preset.clip.batch, seed });
  return { stage, clip, people };
}
