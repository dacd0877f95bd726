import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { writeAtomically } from "@omni-id/torch";
import sharp from "sharp";
import type { Figure10 } from "../experiments/figure10.ts";
import { StageFolders } from "../experiments/folders.ts";
import { chartsOf } from "../experiments/report/charts.ts";
import { htmlReport } from "../experiments/report/html.ts";
import { markdownReport } from "../experiments/report/markdown.ts";
import type { ReportedFigure10, ReportedTable } from "../experiments/report/report.ts";
import type { TableResult } from "../experiments/results.ts";
import { planExperiment } from "../experiments/stages.ts";
import { TABLES } from "../experiments/tables/index.ts";
import { jsonOption } from "./options.ts";
import { print } from "./output.ts";
import { EXPERIMENTS, RESULTS, readExperiment } from "./reproduce-folder.ts";

/** `omni-id reproduce report`: what was measured, as a page and as one file. */
export function reportCommand() {
  return new Command("report")
    .description("write what was measured as docs/experiments.md and as one self-contained page")
    .option("--from <folder>", "the tables' JSON", RESULTS)
    .option("--pictures <folder>", "the experiment's folder, whose pictures go into the page", EXPERIMENTS)
    .option(
      "--page <file>",
      "Markdown; its charts go into a folder of the same name beside it",
      join("docs", "experiments.md"),
    )
    .option("--html <file>", "the self-contained page", join("runs", "report.html"))
    .addOption(jsonOption())
    .action(async ({ from, pictures, page, html, json }) => {
      const names = existsSync(from)
        ? readdirSync(from)
            .filter((name) => name.endsWith(".json"))
            .sort()
        : [];
      const tables: ReportedTable[] = [];
      for (const name of names) {
        const result = readTable(join(from, name));
        if (!result) continue;
        const table = basename(name, ".json");
        tables.push({
          name: table,
          result,
          thoughts: thoughtsIn(join(from, `${table}.md`)),
          strips: await stripsOf(result.table, pictures),
        });
      }
      tables.sort((a, b) => placeOf(a) - placeOf(b));
      if (tables.length === 0)
        throw new Error(`${from}: no table there yet; measure one first: omni-id reproduce table2`);
      const charts = join(dirname(page), "experiments");
      for (const file of [charts, dirname(html)]) mkdirSync(file, { recursive: true });
      for (const { name: file, result } of tables) {
        for (const { name, svg } of chartsOf(result)) writeAtomically(join(charts, `${file}-${name}.svg`), svg);
      }
      const figure10 = await figure10Of(from, dirname(page));
      const report = { tables, figure10, thoughts: thoughtsIn(join(from, "in-short.md")) };
      writeAtomically(page, markdownReport(report));
      writeAtomically(html, htmlReport(report));
      print({ page, html, tables: tables.map(({ name }) => name) }, { json, text: `${page} · ${html}` });
    });
}

/** In the paper's order, a table before what else was measured of it. */
const placeOf = ({ name, result: { table } }: ReportedTable) =>
  Object.keys(TABLES).indexOf(table) + (name === table ? 0 : 0.5);

/** A table that was measured; undefined for other files. */
function readTable(file: string): TableResult | undefined {
  try {
    const found = JSON.parse(readFileSync(file, "utf8")) as Partial<TableResult>;
    return found.arms && found.hypotheses && found.table ? (found as TableResult) : undefined;
  } catch {
    throw new Error(`${file}: no JSON; delete it, or measure it again: omni-id reproduce`);
  }
}

/** What somebody thinks of a table, where it was written down. */
const thoughtsIn = (file: string) => (existsSync(file) ? readFileSync(file, "utf8") : undefined);

/** Figure 10, where it was measured. */
async function figure10Of(from: string, page: string): Promise<ReportedFigure10 | undefined> {
  const [file, picture] = ["json", "png"].map((ending) => join(from, `figure10.${ending}`));
  if (!existsSync(file) || !existsSync(picture)) return undefined;
  const figure = JSON.parse(readFileSync(file, "utf8")) as Figure10;
  const jpeg = await sharp(picture).jpeg({ quality: 80 }).toBuffer();
  return { figure, link: relative(page, picture), uri: `data:image/jpeg;base64,${jpeg.toString("base64")}` };
}

/** The first seed's pictures of each arm, small enough for a page. */
async function stripsOf(table: string, folder: string): Promise<{ arm: string; uri: string }[]> {
  const begun = readExperiment(folder);
  if (!begun) return [];
  const folders = new StageFolders(folder);
  const runs = planExperiment(begun.settings).runs.filter((run) => run.table === table && run.seed === 0);
  const strips = runs.map(async ({ arm, evaluate }) => {
    const picture = join(folders.of({ id: evaluate }), "figures.png");
    if (!existsSync(picture)) return [];
    const jpeg = await sharp(picture).resize({ width: 640 }).jpeg({ quality: 78 }).toBuffer();
    return [{ arm, uri: `data:image/jpeg;base64,${jpeg.toString("base64")}` }];
  });
  return (await Promise.all(strips)).flat();
}
