import { againOf } from "./again.ts";
import { chartsOf } from "./charts.ts";
import type { Report, ReportedFigure10, ReportedTable } from "./report.ts";
import {
  armsOf,
  claimsOf,
  FIGURE10,
  factsOf,
  INTRODUCTION,
  inShort,
  mapsInWords,
  OF_THE_WAY,
  type Rows,
  TITLE,
} from "./words.ts";

/** All that was measured as a page of the documentation; charts are named `experiments/<table>-<chart>.svg`. */
export function markdownReport(report: Report): string {
  const { tables, figure10, thoughts } = report;
  const short = inShort(report);
  return [
    `# ${TITLE}`,
    "",
    "<!-- Written by: omni-id reproduce report. What we think of a table stands in results/experiments/<table>.md, of all of them in in-short.md. -->",
    "",
    INTRODUCTION,
    "",
    ...COMMANDS,
    "",
    "## In short",
    "",
    ...tableOf({
      ...short,
      rows: short.rows.map(([title, ...counts]) => [`[${title}](#${anchorOf(title)})`, ...counts]),
    }),
    "",
    ...written(thoughts),
    ...tables.flatMap(sectionOf),
    ...(figure10 ? figure10Section(figure10) : []),
  ].join("\n");
}

const COMMANDS = [
  "```",
  "npx omni-id data synth -o data/synth && npx omni-id data synth --noise web -o data/web",
  "npx omni-id train clip           # for the arms on CLIP: a small one, on the same people",
  "npx omni-id reproduce all --web data/web        # goes on where it stopped",
  "npx omni-id reproduce status",
  "npx omni-id reproduce report     # writes this page",
  "```",
];

function sectionOf({ name: file, result, thoughts }: ReportedTable): string[] {
  const { title, hypotheses, missing } = result;
  return [
    `## ${title}`,
    "",
    factsOf(result),
    "",
    ...chartsOf(result).flatMap(({ name }) => [`![${title}: ${name}](experiments/${file}-${name}.svg)`, ""]),
    ...tableOf(armsOf(result)),
    "",
    `¹ ${OF_THE_WAY}`,
    "",
    ...tableOf(bold(claimsOf(hypotheses))),
    "",
    ...written(thoughts),
    ...(missing.length > 0 ? [`Missing: ${missing.join("; ")}.`, ""] : []),
    "```",
    ...againOf(result),
    "```",
    "",
  ];
}

function figure10Section({ figure, link }: ReportedFigure10): string[] {
  return [
    `## ${FIGURE10}`,
    "",
    mapsInWords(figure),
    "",
    `![${FIGURE10}](${link})`,
    "",
    ...tableOf(bold(claimsOf(figure.hypotheses))),
    "",
    "```",
    ...(figure.data ? [`npx ${figure.data} -o data/figure10`] : []),
    `npx omni-id reproduce figure10 --data data/figure10 --people ${figure.people}`,
    "npx omni-id attention my-photos/*.jpg -o maps.png      # any photos",
    "```",
    "",
  ];
}

const written = (thoughts: string | undefined): string[] => (thoughts ? [thoughts.trim(), ""] : []);

function tableOf({ head, rows }: Rows): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}

/** A claim that does not hold is not to be read over. */
const bold = ({ head, rows }: Rows): Rows => ({
  head,
  rows: rows.map((cells) => cells.map((cell) => (cell === "no" ? "**no**" : cell))),
});

/** Where a heading can be linked to, as GitHub names it. */
const anchorOf = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} -]/gu, "")
    .replaceAll(" ", "-");
