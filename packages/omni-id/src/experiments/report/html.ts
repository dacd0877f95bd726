import { escapeXml } from "../../pictures/escape-xml.ts";
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

/** All that was measured as one file that needs nothing else, with a strip of pictures of each arm. */
export function htmlReport(report: Report): string {
  const { tables, figure10, thoughts } = report;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${TITLE}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2430; max-width: 960px; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; font-size: 14px } td, th { border-bottom: 1px solid #dde; padding: .3rem .6rem; text-align: left; vertical-align: top }
img, svg { max-width: 100% } figure { display: inline-block; margin: .5rem; max-width: 440px } pre { background: #f4f5f8; padding: .6rem; white-space: pre-wrap }
</style>
<h1>${TITLE}</h1>
${paragraphs(INTRODUCTION)}
${tableOf(inShort(report))}
${paragraphs(thoughts)}
${[...tables.map(sectionOf), ...(figure10 ? [figure10Section(figure10)] : [])].join("\n")}
</html>
`;
}

function sectionOf({ result, thoughts, strips = [] }: ReportedTable): string {
  const pictures = strips.map(
    ({ arm, uri }) =>
      `<figure><figcaption>${escapeXml(arm)}</figcaption><img alt="${escapeXml(arm)}" src="${uri}"></figure>`,
  );
  return [
    `<section><h2>${escapeXml(result.title)}</h2>${paragraphs(factsOf(result))}`,
    ...chartsOf(result).map(({ svg }) => svg),
    tableOf(armsOf(result)),
    paragraphs(`¹ ${OF_THE_WAY}`),
    tableOf(claimsOf(result.hypotheses)),
    paragraphs(thoughts),
    ...pictures,
    `<pre>${escapeXml(againOf(result).join("\n"))}</pre></section>`,
  ].join("\n");
}

function figure10Section({ figure, uri }: ReportedFigure10): string {
  return [
    `<section><h2>${FIGURE10}</h2>${paragraphs(mapsInWords(figure))}`,
    `<img alt="${FIGURE10}" src="${uri}">`,
    `${tableOf(claimsOf(figure.hypotheses))}</section>`,
  ].join("\n");
}

function tableOf({ head, rows }: Rows): string {
  const row = (kind: "td" | "th", cells: readonly string[]) =>
    `<tr>${cells.map((cell) => `<${kind}>${escapeXml(cell)}</${kind}>`).join("")}</tr>`;
  return ["<table>", row("th", head), ...rows.map((cells) => row("td", cells)), "</table>"].join("\n");
}

/** Markdown's paragraphs, without its marks. */
const paragraphs = (markdown = ""): string =>
  markdown
    .split(/\n{2,}/)
    .map((words) => words.replaceAll(/[`*]/g, "").trim())
    .filter((words) => words !== "")
    .map((words) => `<p>${escapeXml(words)}</p>`)
    .join("\n");
