import type { Estimate } from "@omni-id/data";
import type { RgbImage } from "@omni-id/face";
import { scope, type Tensor } from "@omni-id/torch";
import type { People } from "../people/people.ts";
import { saveSheet, toRgb } from "../pictures/picture.ts";
import { toUnit } from "../pictures/rgb-batch.ts";
import type { GenerationRecogniser, GenerationReport } from "./generation.ts";
import { type Generated, type GenerationTask, rowsOf } from "./generation-protocol.ts";

const COLUMNS = [
  "input 1",
  "input 2",
  "input 3",
  "ground truth\nin that pose",
  "from 1 photo",
  "from 3 photos",
  "from 5 photos",
  "somebody\nelse's identity",
  "no identity",
];

export interface GenerationSheet<K extends Generated = Generated> {
  people: People;
  tasks: readonly GenerationTask[];
  pictures: Record<K, Tensor>;
  title: string;
  notes: string[];
  /** How many people to show, spread over all. */
  rows?: number;
}

/** One person a row: three inputs | the target | drawn from 1, 3, 5 photos | from somebody else's identity | from none. */
export function saveGenerationSheet(file: string, sheet: GenerationSheet): Promise<void> {
  const notes = [
    ...sheet.notes,
    "Every pixel of the drawn pictures comes from noise; of the target only 68 landmarks are given.",
  ];
  return saveRows(file, { ...sheet, notes }, ["1", "3", "5", "otherIdentity", "bareBase"]);
}

/** One person a row: three inputs | another photo | drawn from 1, 3, 5 photos. */
export function saveReferencesSheet(file: string, sheet: GenerationSheet<"1" | "3" | "5">): Promise<void> {
  return saveRows(file, sheet, ["1", "3", "5"]);
}

function saveRows<K extends Generated>(file: string, sheet: GenerationSheet<K>, names: readonly K[]): Promise<void> {
  const { people, tasks, pictures, title, notes, rows = 10 } = sheet;
  const perPerson = tasks.length / people.ids.length;
  const shown = Array.from({ length: Math.min(rows, people.ids.length) }, (_, i) => {
    const person = Math.floor((i * people.ids.length) / rows);
    return person * perPerson + (i % perPerson);
  });
  const real = (row: number): RgbImage => scope(() => toRgb(toUnit(rowsOf(people.crops, [row])).squeeze(0)));
  const made = (name: K, task: number): RgbImage => scope(() => toRgb(pictures[name].select(0, task)));
  return saveSheet(file, {
    title,
    columns: COLUMNS.slice(0, 4 + names.length),
    rows: shown.map((task) => [
      ...tasks[task].inputs.slice(0, 3).map(real),
      real(tasks[task].target),
      ...names.map((name) => made(name, task)),
    ]),
    notes,
    tile: 112,
  });
}

/** The report as lines for a person. */
export function describeGeneration(report: GenerationReport): string[] {
  const { closed, firstOf, poseDegrees, detected, copyPaste, colourOnly } = report;
  const { independent, backbone, ...further } = report.recognisers;
  const fixed = (value: number) => value.toFixed(3);
  const percent = (value: number) => `${Math.round(100 * value)} %`;
  const share = ({ mean, ci: [from, to] }: Estimate) =>
    `${percent(mean)} (${Math.round(100 * from)}–${Math.round(100 * to)})`;
  const row = (name: string, r: GenerationRecogniser) =>
    `${name}: ${fixed(r[1].mean)} / ${fixed(r[3].mean)} / ${fixed(r[5].mean)} at 1 / 3 / 5 photos · mean identity ` +
    `${fixed(r.identityRemoved.mean)} · other identity ${fixed(r.otherIdentity.mean)} · none ${fixed(r.bareBase.mean)}; ` +
    `real photos: same person ${fixed(r.samePerson.mean)}, other person ${fixed(r.otherPerson.mean)}`;
  const { controlled, uncontrolled, estimator, groundTruthPairs } = poseDegrees;
  const lines = [
    `${report.identities} people never seen in training, ${report.targets} pictures a column, guidance ${report.guidance}, ${report.steps} steps`,
    row("independent recogniser, distance", independent),
    row("backbone's recogniser, cosine", backbone),
    ...Object.entries(further).map(([name, one]) => row(`${name}, cosine`, one)),
    `closed of the way from another person to the person (independent): ${share(closed[1])} / ${share(closed[3])} / ${share(closed[5])}`,
    `the right one of ${firstOf.people} comes first: ${share(firstOf[1])} / ${share(firstOf[3])} / ${share(firstOf[5])} (a real photo ${percent(firstOf.realPhoto.mean)}, chance ${percent(firstOf.chance)})`,
    `pose error, degrees: ${controlled.mean.toFixed(1)} with landmarks, ${uncontrolled.mean.toFixed(1)} without, ${groundTruthPairs.mean.toFixed(1)} between real photos; the estimator's own ${estimator.mean.toFixed(1)}`,
    `copy-paste ${fixed(copyPaste.all.mean)}, without outliers ${fixed(copyPaste.withoutOutliers.mean)} (above 0: copies the first input) · faces found in ${percent(detected.generated)} (real: ${percent(detected.real)})`,
  ];
  if (colourOnly) {
    lines.push(
      `colours alone: independent ${fixed(colourOnly.independent.mean)}, right one first ${percent(colourOnly.firstOf.mean)}`,
    );
  }
  return lines;
}
