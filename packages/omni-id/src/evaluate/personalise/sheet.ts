import { scope, type Tensor } from "@omni-id/torch";
import type { People } from "../../people/people.ts";
import { inLines } from "../../pictures/in-lines.ts";
import { saveSheet, toRgb } from "../../pictures/picture.ts";
import { toUnit } from "../../pictures/rgb-batch.ts";
import type { ScenePrompt } from "./prompts.ts";
import type { PersonaliseReport } from "./report.ts";

/** Letters of a line above a picture. */
const LINE = 15;

/** People down, prompts across: the photo that goes in first, then a scene by each prompt. */
export async function saveScenesSheet(
  file: string,
  options: { photos: People; prompts: readonly ScenePrompt[]; pictures: Tensor; title: string; notes: string[] },
): Promise<void> {
  const { photos, prompts, pictures, title, notes } = options;
  const rows = scope(() => {
    const firsts = toUnit(photos.cropsOf([...photos.ids.keys()].map((person) => photos.row(person, 0))));
    return [...photos.ids.keys()].map((person) => [
      toRgb(firsts.select(0, person)),
      ...prompts.map((_, i) => toRgb(pictures.select(0, person * prompts.length + i))),
    ]);
  });
  const columns = ["first photo", ...prompts.map(({ text }) => inLines(text.replace(/^a person in /, ""), LINE))];
  await saveSheet(file, { title, columns, rows, notes, tile: 128 });
}

/** The report as lines for a person. */
export function describePersonalise({ arms, bounds, classifier, claims, photos }: PersonaliseReport): string[] {
  const number = (value: number) => value.toFixed(3);
  const lines = Object.entries(arms).map(([name, arm]) => {
    const likeness = Object.entries(arm.idSimilarity).map(([count, { mean }]) => `${number(mean)} (${count})`);
    const cost = arm.cost ? `, ${number(arm.cost.mean)} against the bare base` : "";
    const asked = arm.promptFollowing && `; of what prompts ask ${Math.round(100 * arm.promptFollowing.mean)} %${cost}`;
    const who = `, right one first ${Math.round(100 * arm.first.mean)} %`;
    return `${name}: ID similarity ${likeness.join(" ")}${who}${asked ?? ""}`;
  });
  return [
    ...lines,
    `other scenes of the person ${number(bounds.samePerson.mean)}, somebody else's ${number(bounds.otherPerson.mean)}; words are read right in ${Math.round(100 * classifier.accuracy.accuracy)} %`,
    `figures without a number of photos: ${photos}`,
    ...claims.map(({ claim, answer }) => `${claim}: ${answer}`),
  ];
}
