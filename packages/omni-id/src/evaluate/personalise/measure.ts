import { type Groups, neverTogether, readSceneWords, type SceneGroup } from "@omni-id/data";
import type { Tensor } from "@omni-id/torch";
import type { People } from "../../people/people.ts";
import { toUnit } from "../../pictures/rgb-batch.ts";
import type { LoadedAttributes } from "../../weights/attributes.ts";
import type { LoadedClip } from "../../weights/clip.ts";
import { type FoundFace, findFaces } from "../generated-faces.ts";
import { type KnownFaces, likenessOfScenes } from "./faces.ts";
import { type ImageText, imageText } from "./image-text.ts";
import { borderColours, heldWord, type Leakage, leakageOf } from "./leakage.ts";
import type { ScenePrompt } from "./prompts.ts";
import { diversity, following, followingByGroup, readScenes, type SceneReading } from "./words.ts";

/** What an arm's pictures measured, a list a person. */
export interface Measured {
  idSimilarity: Record<string, Groups>;
  /** Whether it is this person rather than another of those who are measured; of the usual number of photos. */
  ownLess: Groups;
  first: Groups;
  detected: Record<string, number>;
  promptFollowing: Groups;
  /** The same of prompts whose words came together in training, and of those whose never did. */
  followingMet: Groups;
  followingHeldOut: Groups;
  byGroup: Partial<Record<SceneGroup, number>>;
  /** Where there is a CLIP of scenes. */
  imageText: ImageText | undefined;
  copyPaste: Groups;
  diversity: Groups;
  leakage: Leakage;
  hairColour: Groups;
  hairLength: Groups;
}

/** What an arm's pictures are held against. */
export interface SceneTest {
  known: KnownFaces;
  attributes: LoadedAttributes;
  clip: LoadedClip | undefined;
  prompts: readonly ScenePrompt[];
  scenes: People;
  photos: People;
}

/** Pictures, with what is seen in them. */
export interface SeenScenes {
  pictures: Tensor;
  faces: (FoundFace | undefined)[];
  reading: SceneReading;
}

export async function lookAt({ attributes }: Pick<SceneTest, "attributes">, pictures: Tensor): Promise<SeenScenes> {
  const faces = await findFaces(pictures);
  return { pictures, faces, reading: readScenes(attributes, pictures, faces) };
}

/**
 * All that is measured of one arm.
 * @param seen its pictures by the number of photos @param usual the number that one figure alone is told of
 * @param other the same with other noise @param bare the same of nobody's identity
 */
export function measureArm(
  { known, prompts, scenes, photos, clip }: SceneTest,
  {
    seen,
    usual,
    other,
    bare,
  }: { seen: Record<string, SeenScenes>; usual: number; other: SeenScenes; bare: SeenScenes },
): Measured {
  const found = Object.entries(seen).map(
    ([count, { pictures, faces }]) => [count, likenessOfScenes(known, pictures, faces)] as const,
  );
  const likeness = Object.fromEntries(found)[usual];
  const { pictures, reading } = seen[usual];
  const persons = [...scenes.ids.keys()];
  const truth = persons.map((person) => readSceneWords(scenes.captions[scenes.row(person, 0)], { whole: true }));
  const firsts = persons.map((person) => photos.row(person, 0));
  const inputs = borderColours(toUnit(photos.cropsOf(firsts)));
  const shown = persons.map((person) => ({
    words: readSceneWords(photos.captions[firsts[person]], { whole: true }),
    border: inputs[person],
  }));
  return {
    idSimilarity: Object.fromEntries(found.map(([count, { likeness }]) => [count, likeness])),
    ownLess: likeness.ownLess,
    first: likeness.first,
    detected: Object.fromEntries(found.map(([count, { detected }]) => [count, detected])),
    promptFollowing: following(reading.words, prompts),
    followingMet: following(reading.words, prompts, ({ asks }) => !neverTogether(asks)),
    followingHeldOut: following(reading.words, prompts, ({ asks }) => neverTogether(asks)),
    byGroup: followingByGroup(reading.words, prompts),
    imageText: clip && imageText(clip, pictures, prompts),
    copyPaste: likeness.copied.filter(({ length }) => length > 0),
    diversity: diversity(reading, other.reading, prompts.length),
    leakage: leakageOf(
      { prompts, photos: shown },
      { words: reading.words, borders: borderColours(pictures), bare: bare.reading.words },
    ),
    hairColour: heldWord(reading.words, { prompts, truth, group: "hairColour" }),
    hairLength: heldWord(reading.words, { prompts, truth, group: "hairLength" }),
  };
}
