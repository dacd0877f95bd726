import { bootstrap, type Estimate, type Provenance, provenance } from "@omni-id/data";
import { cat, noGrad, scope, type Tensor } from "@omni-id/torch";
import type { FlowBase } from "../flow-base.ts";
import { drawFromReferences } from "../generate/references.ts";
import type { People } from "../people/people.ts";
import { toRgb } from "../pictures/picture.ts";
import { toUnit } from "../pictures/rgb-batch.ts";
import {
  type Against,
  closedWay,
  compareReports,
  estimates,
  mapValues,
  type OtherReport,
  type PerPerson,
  perPerson,
  type Values,
} from "./figures.ts";
import { findFaces, pointsOf } from "./generated-faces.ts";
import { copyPasteScores, firstOf, likenessOf } from "./generation-likeness.ts";
import { type GenerationTask, generationTasks, rowsOf } from "./generation-protocol.ts";
import { type CountKey, eachCount, INPUT_COUNTS } from "./protocol.ts";
import { type Judge, type Judges, loadJudges } from "./recognisers.ts";
import { cosines } from "./reconstruct.ts";

type Condition = CountKey | "samePerson" | "otherPerson";

export interface ReferencesReport extends Provenance {
  /** Which flow model drew. */
  weights: { base: string };
  people: number;
  pictures: number;
  /** Side of the pictures and of the photos, in pixels. */
  size: number;
  steps: number;
  guidance: number;
  prompt: string;
  recognisers: Judges<{ measure: Judge["measure"] } & Record<Condition, Estimate>>;
  /** Cosine of the independent recogniser's features of picture and target, as in the paper's tables. */
  idSimilarity: Record<Condition, Estimate>;
  /** Share of the way from otherPerson to samePerson, independent recogniser. */
  closed: Record<CountKey, Estimate>;
  firstOf: Record<CountKey, Estimate> & { people: number; chance: number };
  /** Three photos; above 0: nearer to the first reference photo than to the person in the target's state. */
  copyPaste: Estimate;
  /** Share of pictures in which the detector finds a face. */
  detected: Record<CountKey, number>;
  perPerson: PerPerson;
  /** Paired differences to another report of the same people. */
  against?: Against;
  notes: string[];
}

export interface ReferencesOptions {
  base: FlowBase;
  /** Such as "klein". */
  name: string;
  people: People;
  /** The two judges when absent. */
  judges?: Judges<Judge>;
  against?: OtherReport;
  /** The model's own when absent. */
  steps?: number;
  guidance?: number;
  prompt?: string;
  seed: number;
  onProgress?: (what: string) => void;
}

export interface ReferencesResult {
  report: ReferencesReport;
  tasks: GenerationTask[];
  pictures: Record<CountKey, Tensor>;
}

/** The pose is left to the model: FLUX.2 is told of no landmarks. */
export const REFERENCE_PROMPT = "close-up portrait photo of the person in the reference photos";

const NOTES = [
  "FLUX.2's own way of taking photos, without any training of ours: the photos' latents stand behind those of the picture.",
  "The same tasks, targets and judges as generation.json. No landmarks are given, so the target's pose is unknown here: compare with `uncontrolled` there, not with its 3.",
  "Where no face is found in a picture, it is judged at the target's landmarks.",
  "samePerson: another real photo of the person; otherPerson: a real photo of somebody else. Intervals: 95 %, bootstrap over people.",
];

/** Measures the baseline that needs no identity: pictures from 1, 3 and 5 photos by FLUX.2's own references. */
export async function evaluateReferences(options: ReferencesOptions): Promise<ReferencesResult> {
  const { base, name, people, against, seed, prompt = REFERENCE_PROMPT, onProgress = () => {} } = options;
  const tasks = generationTasks(people);
  const points = rowsOf(
    people.points,
    tasks.map(({ target }) => target),
  );
  const judges = options.judges ?? loadJudges();
  // The same network twice: by its own measure, and by the tables' one.
  const asked = { ...judges, idSimilarity: { ...judges.independent, compare: cosines } };
  const measure = { people, tasks, judges: asked };
  const quietly = <T>(measured: () => T) => scope(() => noGrad(measured));

  const pictures = {} as Record<CountKey, Tensor>;
  const detected = {} as Record<CountKey, number>;
  const firsts = {} as Values<CountKey>;
  const likeness: Record<string, Values> = {};
  let copied: ReturnType<typeof copyPasteScores> = [];
  for (const count of INPUT_COUNTS) {
    const key: CountKey = `${count}`;
    onProgress(`drawing ${tasks.length} pictures from ${count} photos each`);
    const made = await drawAll({ ...options, prompt, seed }, tasks, count);
    pictures[key] = made;
    const faces = await findFaces(made);
    detected[key] = faces.filter(Boolean).length / tasks.length;
    const where = pointsOf(faces, points);
    firsts[key] = quietly(() => firstOf(measure, made, where));
    for (const [judge, values] of Object.entries(quietly(() => likenessOf(measure, { [key]: made }, where)))) {
      likeness[judge] = { ...likeness[judge], ...values };
    }
    if (count === 3) copied = quietly(() => copyPasteScores(measure, made, where));
  }

  const { idSimilarity, ...known } = likeness as Judges<Values<Condition>> & { idSimilarity: Values<Condition> };
  const each = perPerson(people, { ...likeness, firstOf: firsts });
  const report: ReferencesReport = {
    ...provenance(seed),
    weights: { base: name },
    people: people.ids.length,
    pictures: tasks.length,
    size: pictures[1].shape[3],
    steps: options.steps ?? base.drawing.steps ?? 0,
    guidance: options.guidance ?? base.drawing.guidance ?? 1,
    prompt,
    recognisers: Object.fromEntries(
      Object.entries(known).map(([judge, values]) => [judge, { measure: judges[judge].measure, ...estimates(values) }]),
    ) as ReferencesReport["recognisers"],
    idSimilarity: estimates(idSimilarity),
    closed: closedWay(known.independent),
    firstOf: { ...estimates(firsts), people: people.ids.length, chance: 1 / people.ids.length },
    copyPaste: bootstrap(copied),
    detected,
    perPerson: each,
    ...(against && { against: compareReports(each, against) }),
    notes: NOTES,
  };
  return { report, tasks, pictures };
}

/** One picture a task, `[tasks, 3, S, S]`, from its first photos; the same noise whatever their number. */
async function drawAll(
  { base, people, steps, guidance, prompt, seed }: ReferencesOptions & { prompt: string },
  tasks: readonly GenerationTask[],
  count: number,
): Promise<Tensor> {
  const parts: Tensor[] = [];
  for (const [place, { inputs }] of tasks.entries()) {
    const references = inputs.slice(0, count).map((row) => ({
      name: people.nameOf(row),
      image: scope(() => toRgb(toUnit(rowsOf(people.crops, [row])).squeeze(0))),
    }));
    const settings = { count: 1, seed: seed * 1000 + place, steps, guidance, prompt, references };
    parts.push((await drawFromReferences(base, settings)).keep());
  }
  const all = scope(() => cat(parts)).keep();
  for (const part of parts) part.dispose();
  return all;
}

/** The report as lines for a person. */
export function describeReferences({ weights, closed, detected, recognisers, firstOf }: ReferencesReport): string[] {
  const { independent } = recognisers;
  const percent = (value: number) => `${Math.round(100 * value)} %`;
  const counts = mapValues(
    eachCount((count) => `${count}` as CountKey),
    (key) =>
      [
        `${key} photos: distance ${independent[key].mean.toFixed(3)}`,
        `way closed ${percent(closed[key].mean)}`,
        `right one first ${percent(firstOf[key].mean)}`,
        `face found ${percent(detected[key])}`,
      ].join(", "),
  );
  return [
    `${weights.base}, its own references, untrained`,
    ...Object.values(counts),
    `another photo ${independent.samePerson.mean.toFixed(3)}, somebody else ${independent.otherPerson.mean.toFixed(3)}`,
  ];
}
