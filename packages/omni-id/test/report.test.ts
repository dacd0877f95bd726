import { describe, expect, it } from "vitest";
import { againOf } from "../src/experiments/report/again.ts";
import { htmlReport } from "../src/experiments/report/html.ts";
import { markdownReport } from "../src/experiments/report/markdown.ts";
import type { Report } from "../src/experiments/report/report.ts";
import { type Answer, NOT_MEASURED, type TableResult } from "../src/experiments/results.ts";
import { TABLES } from "../src/experiments/tables/index.ts";

const hypotheses: Answer[] = [
  { claim: "a", answer: "yes", by: "+0.1", paper: 0.2 },
  { claim: "b", answer: "no", by: "−0.1" },
  { claim: "c", answer: "unresolved", by: "+0.0" },
  { claim: "d", answer: "unresolved", by: `${NOT_MEASURED}: arm` },
];

const result: TableResult = {
  ...{ table: "table1", title: "Table 1: what's kept, of a person", hypotheses, arms: {}, bounds: {}, judge: "dlib" },
  ...{ people: 44, pictures: 352, commit: "c", hardware: "h", date: "", device: "cpu", precision: "float32" },
  ...{ steps: { mtd: 4, flow: 1, downstream: 1 }, seeds: 1, missing: [] },
};

const report: Report = {
  tables: [{ name: "first", result, thoughts: "One **thought** <b>.\n\nAnother\nthought." }],
  thoughts: "All of it.",
};

describe("the page of what was measured", () => {
  it("begins with how many claims of each table hold, with a link to it", () => {
    const page = markdownReport(report);
    const line = "| [Table 1: what's kept, of a person](#table-1-whats-kept-of-a-person) | 1 | 1 | 1 | 1 |";
    expect(page.split("\n")).toContain(line);
    expect(page.indexOf(line)).toBeLessThan(page.indexOf("All of it."));
    expect(page.indexOf("All of it.")).toBeLessThan(page.indexOf("## Table 1"));
  });

  it("tells what was not resolved from what was not run, and prints a no so that nobody reads over it", () => {
    const answers = [...markdownReport(report).matchAll(/^\| ([abcd]) \| ([^|]+) \|/gm)].map(([, , answer]) => answer);
    expect(answers).toEqual(["yes", "**no**", "not resolved", "not run"]);
    expect(htmlReport(report)).toContain("<td>no</td>");
  });

  it("ends a table with the commands that measure it again, its arms and its people among them", () => {
    const arm = { about: "", seeds: [0], idSimilarity: {}, closed: {}, paper: { idSimilarity: {} } };
    const pilot = { ...result, table: "table3", seeds: 2, guidance: 3, set: ["mtd.inputs=[1]"], device: "cuda" };
    const arms = { full: { ...arm, poseError: {} }, "no-mfhq": { ...arm, poseError: {} } };
    const [data, web] = ["omni-id data synth --seed 3", "omni-id data synth --seed 3 --noise web"];
    expect(againOf({ ...pilot, arms, data, web })).toEqual([
      "npx omni-id data synth --seed 3 -o data/synth",
      "npx omni-id data synth --seed 3 --noise web -o data/web",
      "npx omni-id reproduce table3 --arms full no-mfhq --web data/web --seeds 2 --steps-mtd 4 --steps-flow 1 --steps-downstream 1 --guidance 3 --device cuda --precision float32 --set 'mtd.inputs=[1]'",
    ]);
    // What was asked for and could not be run is no choice of arms; the arm on CLIP wants its CLIP first.
    const { arms: all } = TABLES.table1;
    const most = Object.fromEntries(Object.keys(all).flatMap((name) => (name === "references" ? [] : [[name, arm]])));
    expect(againOf({ ...result, arms: most, missing: ["references: no GPU"] })).toEqual([
      "npx omni-id train clip",
      "npx omni-id reproduce table1 --seeds 1 --steps-mtd 4 --steps-flow 1 --precision float32",
    ]);
  });

  it("keeps paragraphs written by hand as one file too, and nothing of them as markup", () => {
    expect(htmlReport(report)).toContain("<p>One thought &lt;b&gt;.</p>\n<p>Another\nthought.</p>");
  });
});
