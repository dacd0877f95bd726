import type { RgbImage } from "@omni-id/face";
import { noGrad, scope } from "@omni-id/torch";
import type { Identity } from "../identity.ts";
import { inLines } from "../pictures/in-lines.ts";
import { saveSheet, toRgb } from "../pictures/picture.ts";
import type { SceneGenerator } from "./scene-generator.ts";

/** What the demo's people are drawn in. */
const PROMPTS = [
  "a smiling person in a red jumper in front of a brick wall",
  "a person with glasses in a blue suit in an office",
  "a person in a yellow t-shirt and a sun hat on a beach",
];
const SEED = 5;
/** Letters of a line above a picture. */
const LINE = 24;

/** Somebody in three scenes, from noise: the same noise whoever it is. Nobody's identity when absent. */
export function drawThreeScenes(generator: SceneGenerator, identity: Identity | undefined): RgbImage[] {
  const wishes = PROMPTS.map((prompt, number) => ({ prompt, seed: SEED, number, identity: identity?.tokens }));
  return scope(() => noGrad(() => generator.draw(wishes).unbind(0).map(toRgb)));
}

/**
 * One person a row in three scenes, each told in a sentence.
 * @param rows each with three of the photos, aligned, or with none
 */
export async function saveThreeScenes(
  file: string,
  rows: readonly { inputs: (RgbImage | null)[]; drawn: RgbImage[] }[],
  { photos }: { photos: number },
): Promise<void> {
  await saveSheet(file, {
    title: `People in scenes, from one identity of ${photos} photos and a sentence`,
    columns: ["inputs", "", "", ...PROMPTS.map((prompt) => inLines(prompt, LINE))],
    rows: rows.map(({ inputs, drawn }) => [...inputs, ...drawn]),
    notes: [
      "Every pixel on the right comes from noise, an identity file and the sentence above it; each column from the same noise.",
      "Last row: the same sentences with nobody's identity.",
      "How often words are followed and the person is recognised is measured in docs/scenes.md.",
    ],
    tile: 192,
  });
}
