import { type Groups, readSceneWords, type SceneGroup } from "@omni-id/data";
import type { Tensor } from "@omni-id/torch";
import type { People } from "../../people/people.ts";
import { toUnit } from "../../pictures/rgb-batch.ts";
import type { LoadedAttributes } from "../../weights/attributes.ts";
import { type KnownFaces, likenessOfScenes } from "./faces.ts";
import { borderColours, heldWord, type Leakage, leakageOf } from "./leakage.ts";
import type { ScenePrompt } from "./prompts.ts";
import { diversity, following, followingByGroup, readScenes, type SceneReading } from "./words.ts";

/** What an arm's pictures measured, a list a person. */
export interface Measured {
  idSimilarity: Record<string, Groups>;
  detected: Record<string, number>;
  promptFollowing: Groups;
  byGroup: Partial<Record<SceneGroup, number>>;
  copyPaste: Groups;
  diversity: Groups;
  leakage: Leakage;
  hairColour: Groups;
  hairLength: Groups;
}

/** What an arm's pictures are held against. */
export interface SceneTest {
  known: KnownFaces;
  attributes: LoadedAttributes & { imageSize: number };
  prompts: readonly ScenePrompt[];
  scenes: People;
  photos: People;
}

/** All that is measured of one arm. */
export async function measureArm(
  { known, attributes, prompts, scenes, photos }: SceneTest,
  {
    pictures,
    usual,
    other,
    bare,
  }: { pictures: Record<string, Tensor>; usual: number; other: Tensor; bare: SceneReading },
): Promise<Measured> {
  const read = (some: Tensor) => readScenes(attributes.network, attributes.imageSize, some);
  const idSimilarity: Record<string, Groups> = {};
  const detected: Record<string, number> = {};
  let copyPaste: Groups = [];
  for (const [count, some] of Object.entries(pictures)) {
    const found = await likenessOfScenes(known, some);
    idSimilarity[count] = found.likeness;
    detected[count] = found.detected;
    if (count === `${usual}`) copyPaste = found.copied.filter((values) => values.length > 0);
  }
  const reading = read(pictures[usual]);
  const persons = [...scenes.ids.keys()];
  const truth = persons.map((person) => readSceneWords(scenes.captions[scenes.row(person, 0)], { whole: true }));
  const firsts = persons.map((person) => photos.row(person, 0));
  const inputs = borderColours(toUnit(photos.cropsOf(firsts)));
  const shown = persons.map((person) => ({
    words: readSceneWords(photos.captions[firsts[person]], { whole: true }),
    border: inputs[person],
  }));
  return {
    idSimilarity,
    detected,
    promptFollowing: following(reading.words, prompts),
    byGroup: followingByGroup(reading.words, prompts),
    copyPaste,
    diversity: diversity(reading, read(other), prompts.length),
    leakage: leakageOf(
      { prompts, photos: shown },
      { words: reading.words, borders: borderColours(pictures[usual]), bare: bare.words },
    ),
    hairColour: heldWord(reading.words, { prompts, truth, group: "hairColour" }),
    hairLength: heldWord(reading.words, { prompts, truth, group: "hairLength" }),
  };
}
