import type { Estimate } from "@omni-id/data";
import type { Figure10 } from "../figure10.ts";
import { signed } from "../intervals.ts";
import { type Answer, NOT_MEASURED, type TableResult, wayTo } from "../results.ts";
import type { At } from "../tables/table.ts";
import { COUNTS, type Report } from "./report.ts";

export const TITLE = "The paper's tables, run again";

export const INTRODUCTION = `Each table of the paper, beside what this repository measures at nano scale. Each claim of the paper was written down
before its run (\`packages/omni-id/src/experiments/tables/\`). It is answered by the difference in pairs, the same people, noise and poses
on both sides: **yes** where its 95 % interval lies above 0, **no** where it lies below, *not resolved* where it holds 0.
Intervals are over people and seeds; a claim without a number of the paper is ours. Our numbers are not the paper's: it judges
FLUX pictures of films by ArcFace, we judge 64-pixel pictures of rendered people by dlib's network. What can be compared is the
order of the arms.`;

export const FIGURE10 = "Figure 10: what the encoder's queries look at";

export function mapsInWords(figure: Figure10): string {
  const { people, photos, entropy, agreement, shuffled, betweenPeople, betweenQueries, mouth, weights, commit } =
    figure;
  const share = ({ mean, ci }: Estimate) =>
    `${Math.round(100 * mean)} % (${ci.map((end) => Math.round(100 * end)).join("–")})`;
  return (
    `${people} people never seen in training, ${photos} photos, ${figure.queries.length} queries, cross-attention block ${figure.block} of ${weights}. A query looks at the part of ` +
    `the face that it looks at in most others in ${share(agreement)}; with everybody's queries counted from another one on it is ${share(shuffled)}. ` +
    `The middle of what one query looks at lies ${betweenPeople.toFixed(2)} from its own mean over people, and the queries of one person lie ${betweenQueries.toFixed(2)} from theirs, in distances ` +
    `from the eyes to the mouth. Where the mouth is goes ${share(mouth.seen)} of a query's attention, and ${share(mouth.covered)} where a patch of grey hides it. Entropy ${entropy.mean.toFixed(2)}: 1 looks everywhere alike, 0 at one place. Commit ${commit}, ${figure.hardware}.`
  );
}

/** Lines of a table for a person, of words alone. */
export interface Rows {
  head: readonly string[];
  rows: readonly (readonly string[])[];
}

/** Claims with their answers. */
export function claimsOf(claims: readonly Answer[]): Rows {
  const printed = claims.some(({ paper }) => paper !== undefined);
  return {
    head: ["the paper's claim", "answer", "by", ...(printed ? ["in the paper"] : [])],
    rows: claims.map(({ claim, answer, by, paper }) => [
      claim,
      inWords({ answer, by }),
      by,
      ...(printed ? [paper === undefined ? "–" : signed(paper)] : []),
    ]),
  };
}

/** How many claims of each table hold. */
export function inShort({ tables, figure10 }: Report): Rows {
  const all = [
    ...tables.map(({ result: { title, hypotheses } }) => ({ title, claims: hypotheses })),
    ...(figure10 ? [{ title: FIGURE10, claims: figure10.figure.hypotheses }] : []),
  ];
  const answers = ["yes", "no", "not resolved", "not run"] as const;
  return {
    head: ["claims of", ...answers],
    rows: all.map(({ title, claims }) => [
      title,
      ...answers.map((answer) => `${claims.filter((claim) => inWords(claim) === answer).length}`),
    ]),
  };
}

const inWords = ({ answer, by }: Pick<Answer, "answer" | "by">) => {
  if (answer !== "unresolved") return answer;
  return by.startsWith(NOT_MEASURED) ? "not run" : "not resolved";
};

/** What the figures were made by, in a sentence or two. */
export function factsOf(result: TableResult): string {
  const {
    people,
    pictures,
    steps,
    judge,
    commit,
    hardware,
    device,
    precision,
    guidance,
    drawingSteps,
    card,
    set = [],
  } = result;
  const machine = device === "cpu" ? hardware : `${card ?? device} (${hardware})`;
  return (
    `${people} people never seen in training, ${pictures} pictures a figure. Steps: ${steps.mtd} of stage one, ${steps.flow} of stage two` +
    `${Object.values(result.arms).some((arm) => arm.poseError) ? `, ${steps.downstream} downstream` : ""}, the same for all arms${set.length > 0 ? `, with ${set.join(", ")}` : ""}; ` +
    `pictures of ${drawingSteps ?? "?"} steps at guidance ${guidance ?? "?"}. Judge: ${judge}.${nobody(result)} Commit ${commit}, ${precision}, ${machine}.`
  );
}

/** What landmarks alone say of a face, in a sentence. */
function nobody({ bounds }: TableResult): string {
  const { bareBase } = bounds;
  if (bareBase === undefined) return "";
  return ` Nobody's identity, landmarks alone: ${bareBase.toFixed(4)}, ${percent(wayTo(bareBase, bounds))} of the way.`;
}

export const OF_THE_WAY =
  "from another person's real photo (0 %) to a real photo of the person (100 %): cosines lie close together.";

/** Arms in lines, as the paper has them: at as many photos as its own table, with pose errors where these were read. */
export function armsOf(result: TableResult): Rows {
  const { arms } = result;
  const inPaper = Object.values(arms).flatMap(({ paper }) => Object.keys(paper.idSimilarity));
  const counts = inPaper.includes("5") ? (["1", "3", "5"] as const) : COUNTS;
  const at = (some: readonly At[]) => `${some.join(" / ")} photos`;
  const posed = Object.values(arms).some(({ poseError }) => poseError);
  const head = ["arm", "what it is", `ID similarity, ${at(counts)}`, "of the way¹", "paper"];
  const rows = Object.entries(arms).map(([name, { about, idSimilarity, poseError, paper, seeds }]) => [
    name,
    about,
    each(counts, idSimilarity, interval(4)),
    each(counts, idSimilarity, (value) => percent(value && wayTo(value.mean, result.bounds))),
    each(counts, paper.idSimilarity, (value) => value?.toFixed(3) ?? "–"),
    ...(posed
      ? [each(COUNTS, poseError, interval(1)), each(COUNTS, paper.poseError, (value) => value?.toFixed(1) ?? "–")]
      : []),
    `${seeds.length}`,
  ]);
  return { head: [...head, ...(posed ? [`pose error, degrees, ${at(COUNTS)}`, "paper"] : []), "seeds"], rows };
}

const each = <T>(
  counts: readonly At[],
  values: Partial<Record<At, T>> | undefined,
  told: (value: T | undefined) => string,
): string => counts.map((count) => told(values?.[count])).join(" / ");

const interval = (digits: number) => (value: Estimate | undefined) =>
  value ? `${value.mean.toFixed(digits)} [${value.ci.map((end) => end.toFixed(digits)).join(", ")}]` : "–";

const percent = (share: number | undefined): string => (share === undefined ? "–" : `${Math.round(100 * share)} %`);
