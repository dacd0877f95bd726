import type { Estimate } from "@omni-id/data";
import { type Arm, type At, TABLES } from "./arms.ts";
import { dotChart } from "./chart.ts";
import { curveChart } from "./curve-chart.ts";
import type { Figure10 } from "./figure10.ts";
import { signed } from "./intervals.ts";
import { type ArmResult, type TableResult, wayTo } from "./results.ts";
import { escaped } from "./svg.ts";

/** A table that was run, and what belongs beside it. */
export interface ReportedTable {
  /** Name of its file, and of its charts'. */
  name: string;
  result: TableResult;
  /** What we think of it, written by hand; Markdown. */
  thoughts?: string;
  /** Pictures of arms, as data URIs. */
  strips?: readonly { arm: string; uri: string }[];
}

/** Figure 10 as it was measured, and its picture. */
export interface ReportedFigure10 {
  figure: Figure10;
  /** From the page of the documentation. */
  link: string;
  /** For the page that needs nothing else: a data URI. */
  uri: string;
}

const COUNTS = ["1", "3"] as const;
const words = { yes: "yes", no: "**no**", unresolved: "not resolved" } as const;

/** A table whose arms are points over stage one's steps, as a curve. */
function curveOf({ table, arms, steps }: TableResult): string {
  const stepsOf = ({ noMtd, mtdShare = 1 }: Arm) => (noMtd ? 0 : Math.round(steps.mtd * mtdShare));
  const curves = COUNTS.map((count) => ({
    label: labelOf(count),
    points: Object.entries(TABLES[table].arms).flatMap(([name, arm]) => {
      const value = arms[name]?.idSimilarity[count];
      return value ? [{ x: stepsOf(arm), value }] : [];
    }),
  }));
  return curveChart({ curves, axes: { x: "steps of stage one", y: "ID similarity, 95 %" } });
}

const labelOf = (count: At) => (count === "1" ? "1 photo" : `${count} photos`);

/** Charts of a table: identity similarity, its differences in pairs, and pose errors where they were read. */
export function chartsOf(result: TableResult): { name: string; svg: string }[] {
  const { table, arms, bounds, hypotheses } = result;
  const rows = (of: (arm: ArmResult) => Partial<Record<At, Estimate>> | undefined) =>
    Object.entries(arms).flatMap(([name, arm]) => {
      const dots = COUNTS.flatMap((count) => {
        const value = of(arm)?.[count];
        return value ? [{ label: labelOf(count), value }] : [];
      });
      return dots.length > 0 ? [{ name, dots }] : [];
    });
  const marks = bounds.bareBase === undefined ? [] : [{ label: "nobody's identity", at: bounds.bareBase }];
  const likeness = rows((arm) => arm.idSimilarity);
  const differences = hypotheses.flatMap(({ claim, difference }) => {
    const known = TABLES[table]?.hypotheses.find((one) => one.claim === claim && one.measure === "idSimilarity");
    if (!known || !difference) return [];
    const side = ({ arm, at }: typeof known.more) =>
      known.more.arm === known.less.arm ? `${arm} at ${at.join(", ")}` : arm;
    const name = `${side(known.more)} − ${side(known.less)}`;
    return [{ name, dots: [{ label: "the mean over the photos claimed", value: difference }] }];
  });
  const pose = rows((arm) => arm.poseError);
  return [
    ...(TABLES[table]?.curve && likeness.length > 1 ? [{ name: "curve", svg: curveOf(result) }] : []),
    ...(likeness.length > 0
      ? [
          {
            name: "similarity",
            svg: dotChart({ rows: likeness, axis: "ID similarity (higher is better), 95 %", marks }),
          },
        ]
      : []),
    ...(differences.length > 0
      ? [
          {
            name: "differences",
            svg: dotChart({
              rows: differences,
              axis: "difference of ID similarity in pairs, 95 %; the claims expect all of them to the right of 0",
              marks: [{ label: "0", at: 0 }],
            }),
          },
        ]
      : []),
    ...(pose.length > 0
      ? [{ name: "pose", svg: dotChart({ rows: pose, axis: "pose error, degrees (lower is better), 95 %" }) }]
      : []),
  ];
}

/** All tables as a page of the documentation; charts are named `experiments/<table>-<chart>.svg`. */
export function markdownReport(tables: readonly ReportedTable[], maps?: ReportedFigure10): string {
  return [
    "# The paper's tables, run again",
    "",
    "<!-- Written by: omni-id reproduce report. What we think of a table stands in results/experiments/<table>.md. -->",
    "",
    INTRODUCTION,
    "",
    ...tables.flatMap(tableInMarkdown),
    ...(maps ? figure10InMarkdown(maps) : []),
  ].join("\n");
}

const INTRODUCTION = `Each table of the paper, beside what this repository measures at nano scale. Each claim of the paper was written down
before its run (\`packages/omni-id/src/experiments/arms.ts\`). It is answered by the difference in pairs, the same people, noise and poses
on both sides: **yes** where its 95 % interval lies above 0, **no** where it lies below, *not resolved* where it holds 0.
Intervals are over people and seeds; a claim without a number of the paper is ours. Our numbers are not the paper's: it judges FLUX pictures of films by ArcFace, we judge 64-pixel
pictures of rendered people by dlib's network. What can be compared is the order of the arms.

\`\`\`
npx omni-id data synth -o data/synth && npx omni-id data synth --noise web -o data/web
npx omni-id train clip           # for the arms on CLIP: a small one, on the same people
npx omni-id reproduce all --web data/web        # goes on where it stopped
npx omni-id reproduce status
npx omni-id reproduce report     # writes this page
\`\`\``;

function tableInMarkdown({ name: file, result, thoughts }: ReportedTable): string[] {
  const { title, hypotheses } = result;
  const { head, rows } = armsOf(result);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    `## ${title}`,
    "",
    factsOf(result),
    "",
    ...chartsOf(result).flatMap(({ name }) => [`![${title}: ${name}](experiments/${file}-${name}.svg)`, ""]),
    line(head),
    line(head.map(() => "---")),
    ...rows.map(line),
    "",
    `¹ ${OF_THE_WAY}`,
    "",
    "| the paper's claim | answer | by | in the paper |",
    "| --- | --- | --- | --- |",
    ...hypotheses.map(
      ({ claim, answer, by, paper }) =>
        `| ${claim} | ${words[answer]} | ${by} | ${paper === undefined ? "–" : signed(paper)} |`,
    ),
    "",
    ...(thoughts ? [thoughts.trim(), ""] : []),
    ...(result.missing.length > 0 ? [`Missing: ${result.missing.join("; ")}.`, ""] : []),
  ];
}

function figure10InMarkdown({ figure, link }: ReportedFigure10): string[] {
  return [
    `## ${FIGURE10}`,
    "",
    mapsInWords(figure),
    "",
    `![${FIGURE10}](${link})`,
    "",
    "| the paper's claim | answer | by |",
    "| --- | --- | --- |",
    ...figure.hypotheses.map(({ claim, answer, by }) => `| ${claim} | ${words[answer]} | ${by} |`),
    "",
    "```",
    ...(figure.data ? [`npx ${figure.data} -o data/figure10`] : []),
    `npx omni-id reproduce figure10 --data data/figure10 --people ${figure.people}`,
    "npx omni-id attention my-photos/*.jpg -o maps.png      # any photos",
    "```",
    "",
  ];
}

const FIGURE10 = "Figure 10: what the encoder's queries look at";

function mapsInWords(figure: Figure10): string {
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

/** The same as one file that needs nothing else, with a strip of pictures of each arm. */
export function htmlReport(tables: readonly ReportedTable[], maps?: ReportedFigure10): string {
  const body = tables.map((reported) => {
    const { result, thoughts, strips = [] } = reported;
    const { title, hypotheses } = result;
    const arms = armsOf(result);
    const head = (...names: string[]) => `<tr>${names.map((name) => `<th>${escaped(name)}</th>`).join("")}</tr>`;
    const row = (...cells: string[]) => `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`;
    return [
      `<section><h2>${escaped(title)}</h2><p>${escaped(factsOf(result))}</p>`,
      ...chartsOf(result).map(({ svg }) => svg),
      `<table>${head(...arms.head)}`,
      ...arms.rows.map((cells) => row(...cells)),
      `</table><p>¹ ${OF_THE_WAY}</p><table>${head("the paper's claim", "answer", "by", "in the paper")}`,
      ...hypotheses.map(({ claim, answer, by, paper }) =>
        row(claim, answer === "unresolved" ? "not resolved" : answer, by, paper === undefined ? "–" : signed(paper)),
      ),
      "</table>",
      thoughts ? `<p>${escaped(thoughts.trim())}</p>` : "",
      ...strips.map(
        ({ arm, uri }) =>
          `<figure><figcaption>${escaped(arm)}</figcaption><img alt="${escaped(arm)}" src="${uri}"></figure>`,
      ),
      `<pre>npx omni-id reproduce ${Object.keys(TABLES).includes(result.table) ? result.table : "all"}</pre></section>`,
    ].join("\n");
  });
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>The paper's tables, run again</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2430; max-width: 960px; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; font-size: 14px } td, th { border-bottom: 1px solid #dde; padding: .3rem .6rem; text-align: left; vertical-align: top }
img, svg { max-width: 100% } figure { display: inline-block; margin: .5rem; max-width: 440px } pre { background: #f4f5f8; padding: .6rem }
</style>
<h1>The paper's tables, run again</h1>
${INTRODUCTION.split("```")[0]
  .split("\n\n")
  .map((paragraph) => `<p>${escaped(paragraph.replaceAll(/[`*]/g, ""))}</p>`)
  .join("\n")}
${body.join("\n")}
${maps ? `<section><h2>${FIGURE10}</h2><p>${escaped(mapsInWords(maps.figure))}</p><img alt="${FIGURE10}" src="${maps.uri}"></section>` : ""}
</html>
`;
}

/** What the figures were made by, in a sentence or two. */
function factsOf(result: TableResult): string {
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

const OF_THE_WAY =
  "from another person's real photo (0 %) to a real photo of the person (100 %): cosines lie close together.";

/** Arms in lines, as the paper has them: at as many photos as its own table, with pose errors where these were read. */
function armsOf(result: TableResult): { head: string[]; rows: string[][] } {
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
