import { type Estimate, mean } from "@omni-id/data";
import { answerBy, type ClaimAnswer } from "../evaluate/figures.ts";
import type { TableFigures } from "../evaluate/table-figures.ts";
import { overSeedsAndPeople, pairedDifference, type SeedsByPeople, signedInterval } from "./intervals.ts";
import { TABLES } from "./tables/index.ts";
import type { At, Hypothesis } from "./tables/table.ts";

export interface ArmResult {
  about: string;
  seeds: number[];
  idSimilarity: Partial<Record<At, Estimate>>;
  /** Share of the way from another person's real photo to the person's own one: cosines lie close together. */
  closed: Partial<Record<At, number>>;
  /** Degrees. */
  poseError?: Partial<Record<At, Estimate>>;
  paper: { idSimilarity: Partial<Record<At, number>>; poseError?: Partial<Record<At, number>> };
}

export interface Answer {
  claim: string;
  answer: ClaimAnswer;
  /** The difference it rests on. */
  by: string;
  difference?: Estimate;
  /** The same difference in the paper. */
  paper?: number;
}

export interface TableResult {
  table: string;
  title: string;
  hypotheses: Answer[];
  arms: Record<string, ArmResult>;
  /** What the figures lie between: nobody's identity, and real photos. */
  bounds: Partial<Record<"bareBase" | "samePerson" | "otherPerson", number>>;
  judge: string;
  people: number;
  pictures: number;
  guidance?: number;
  drawingSteps?: number;
  commit: string;
  hardware: string;
  device: string;
  precision: string;
  steps: { mtd: number; flow: number; downstream: number };
  seeds: number;
  date: string;
  /** Values of the preset that every arm was given. */
  set?: readonly string[];
  /** Commands that render its people again, and those of the arm on pictures as recognition sets have them; absent for people from elsewhere. */
  data?: string;
  web?: string;
  /** The graphics card, where it was noted. */
  card?: string;
  /** What is missing, and why. */
  missing: string[];
}

export const JUDGE =
  "dlib's 128-d network, cosine of picture and target: nothing was trained through it; the same noise and poses for every arm";

/** How an answer begins that rests on nothing yet. */
export const NOT_MEASURED = "not measured yet";

/** What a table takes of a measurement: `evaluate --stage tables`, or `--stage references`, whose pictures have no pose. */
export type ArmFigures = Pick<TableFigures, "people" | "pictures" | "guidance" | "steps" | "poseError" | "perPerson"> &
  Partial<Pick<TableFigures, "commit" | "hardware">> & {
    idSimilarity: Partial<TableFigures["idSimilarity"]>;
  };

/** Figures of an arm, seed by seed. */
export type Measured = ReadonlyMap<string, ReadonlyMap<number, ArmFigures>>;

/** A table out of what its arms have measured so far. */
export function tableResult(
  name: string,
  measured: Measured,
  how: Pick<
    TableResult,
    "commit" | "hardware" | "device" | "precision" | "steps" | "seeds" | "date" | "missing" | "set" | "data" | "web"
  >,
): TableResult {
  const table = TABLES[name];
  const all = [...measured.values()].flatMap((figures) => [...figures.values()]);
  // Ours before klein's references, which know no bare base and draw in steps of their own.
  const first = all.find(({ idSimilarity }) => idSimilarity.bareBase) ?? all[0];
  // Photos are the same in all; nobody's identity is drawn by each arm's own ControlNet.
  const bound = (key: "bareBase" | "samePerson" | "otherPerson") => {
    const values = all.flatMap(({ idSimilarity }) => idSimilarity[key]?.mean ?? []);
    return values.length > 0 ? mean(values) : undefined;
  };
  const bounds = { bareBase: bound("bareBase"), samePerson: bound("samePerson"), otherPerson: bound("otherPerson") };
  const arms = Object.entries(table.arms).flatMap(([arm, { about, paper }]): [string, ArmResult][] => {
    const figures = measured.get(arm);
    if (!figures || figures.size === 0) return [];
    const seeds = [...figures.keys()];
    const at = (measure: Hypothesis["measure"], counts: readonly At[]) =>
      Object.fromEntries(
        counts.map((count) => [count, overSeedsAndPeople(valuesOf(figures, seeds, measure, [count]))]),
      );
    const posed = seeds.every((seed) => figures.get(seed)?.poseError);
    const poseError = posed ? { poseError: at("poseError", ["1", "3"]) } : {};
    const idSimilarity = at("idSimilarity", ["1", "3", "5"]);
    return [[arm, { about, seeds, idSimilarity, closed: closedOf(idSimilarity, bounds), ...poseError, paper }]];
  });
  return {
    table: name,
    title: table.title,
    hypotheses: table.hypotheses.map((hypothesis) => answer(hypothesis, name, measured)),
    arms: Object.fromEntries(arms),
    bounds,
    judge: JUDGE,
    people: first?.people ?? 0,
    pictures: first?.pictures ?? 0,
    guidance: first?.guidance,
    drawingSteps: first?.steps,
    ...how,
  };
}

/** Share of the way from another person's real photo to the person's own one; nothing where these were not measured. */
export function wayTo(value: number, { samePerson, otherPerson }: TableResult["bounds"]): number | undefined {
  if (samePerson === undefined || otherPerson === undefined) return undefined;
  return Number(((value - otherPerson) / (samePerson - otherPerson)).toFixed(4));
}

function closedOf(likeness: ArmResult["idSimilarity"], bounds: TableResult["bounds"]): ArmResult["closed"] {
  const shares = Object.entries(likeness).map(([count, { mean }]) => [count, wayTo(mean, bounds)] as const);
  return Object.fromEntries(shares.filter(([, share]) => share !== undefined));
}

/** Yes where the interval of the paired difference lies above 0, no where it lies below. */
function answer(hypothesis: Hypothesis, table: string, measured: Measured): Answer {
  const { claim, measure, more, less } = hypothesis;
  const paper = inThePaper(hypothesis, table);
  const [a, b] = [measured.get(more.arm), measured.get(less.arm)];
  const seeds = a && b ? [...a.keys()].filter((seed) => b.has(seed)) : [];
  if (!a || !b || seeds.length === 0) {
    const missing = [more.arm, less.arm].filter((arm) => !measured.get(arm)?.size);
    return { claim, answer: "unresolved", by: `${NOT_MEASURED}: ${missing.join(", ") || "a common seed"}`, paper };
  }
  const people = new Set(seeds.flatMap((seed) => [a, b].map((arm) => arm.get(seed)?.perPerson.people)));
  if (people.size > 1)
    throw new Error(`${table}: ${more.arm} and ${less.arm} were measured on other people; no pairs can be made`);
  const values = pairedDifference(valuesOf(a, seeds, measure, more.at), valuesOf(b, seeds, measure, less.at));
  const difference = overSeedsAndPeople(values);
  const side = (arm: string, at: readonly At[]) => `${arm} (${at.join(" and ")} photos)`;
  const by = `${side(more.arm, more.at)} less ${side(less.arm, less.at)}: ${signedInterval(difference, measure === "poseError" ? 2 : 4)}, ${seeds.length} seed${seeds.length > 1 ? "s" : ""} × ${values[0].length} people`;
  return { claim, answer: answerBy(difference), by, difference, paper };
}

function inThePaper({ measure, more, less }: Hypothesis, table: string): number | undefined {
  const side = ({ arm, at }: Hypothesis["more"]) => {
    const column = TABLES[table].arms[arm]?.paper[measure];
    const values = at.map((count) => column?.[count]);
    return values.every((value) => value !== undefined)
      ? values.reduce((sum: number, value) => sum + (value ?? 0), 0) / values.length
      : undefined;
  };
  const [a, b] = [side(more), side(less)];
  return a === undefined || b === undefined ? undefined : Number((a - b).toFixed(4));
}

/** Each person's mean over the given numbers of photos, seed by seed. */
function valuesOf(
  figures: ReadonlyMap<number, ArmFigures>,
  seeds: readonly number[],
  measure: Hypothesis["measure"],
  at: readonly At[],
): SeedsByPeople {
  return seeds.map((seed) => {
    const means = figures.get(seed)?.perPerson.means[measure] ?? {};
    const columns = at.map((count) => means[count] ?? []);
    return columns[0].map((_, person) => columns.reduce((sum, column) => sum + column[person], 0) / columns.length);
  });
}
