import { describe, expect, it } from "vitest";
import { chartsOf } from "../src/experiments/report/charts.ts";
import type { ArmResult, TableResult } from "../src/experiments/results.ts";
import { TABLES } from "../src/experiments/tables/index.ts";
import type { Arm } from "../src/experiments/tables/table.ts";

const LEVELS: Record<string, number> = { "×0": 0.915, "×0.25": 0.918, "×0.5": 0.919, "×1": 0.92, "×2": 0.922 };

function figure9(names = Object.keys(LEVELS)): TableResult {
  const around = (mean: number) => ({ mean, ci: [mean - 0.002, mean + 0.001] as [number, number] });
  const arms = names.map((name): [string, ArmResult] => {
    const idSimilarity = { "1": around(LEVELS[name]), "3": around(LEVELS[name] + 0.001) };
    return [name, { about: "", seeds: [0], idSimilarity, closed: {}, paper: { idSimilarity: {} } }];
  });
  return {
    ...{ table: "figure9", title: "Figure 9", hypotheses: [], arms: Object.fromEntries(arms) },
    ...{ bounds: { bareBase: 0.91, samePerson: 0.97, otherPerson: 0.88 }, judge: "dlib", people: 44, pictures: 352 },
    ...{ commit: "c", hardware: "h", date: "", device: "cpu", precision: "float32", seeds: 1, missing: [] },
    steps: { mtd: 400, flow: 1, downstream: 1 },
  };
}

const curve = (result: TableResult) => chartsOf(result).find(({ name }) => name === "curve")?.svg;
const dots = (svg: string, colour: string) =>
  [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="4" fill="(#\w+)"/g)]
    .filter(([, , , fill]) => fill === colour)
    .map(([, x, y]) => [Number(x), Number(y)]);

describe("figure 9 as a curve", () => {
  it("has each arm at its steps of stage one, and as high as its likeness: both axes are linear", () => {
    const svg = curve(figure9()) ?? "";
    const steps = Object.values(TABLES.figure9.arms).map(({ noMtd, mtdShare = 1 }: Arm) =>
      noMtd ? 0 : mtdShare * 400,
    );
    expect(steps).toEqual([0, 100, 200, 400, 800]);
    const [one, three] = ["#7f9cc9", "#1f4e8c"].map((colour) => dots(svg, colour));
    const share = (values: readonly number[], i: number) => (values[i] - values[0]) / (values[4] - values[0]);
    for (const curve of [one, three]) {
      for (const [i, [x, y]] of curve.entries()) {
        expect((x - curve[0][0]) / (curve[4][0] - curve[0][0])).toBeCloseTo(share(steps, i), 3);
        expect((y - curve[0][1]) / (curve[4][1] - curve[0][1])).toBeCloseTo(share(Object.values(LEVELS), i), 2);
      }
    }
    // Three photos lie above one: upwards is less.
    for (const [i, [, y]] of three.entries()) expect(y).toBeLessThan(one[i][1]);
    for (const step of steps) expect(svg).toContain(`>${step}</text>`);
  });

  it("is drawn of what was measured so far, and of no other table", () => {
    expect(dots(curve(figure9(["×0", "×1"])) ?? "", "#7f9cc9")).toHaveLength(2);
    expect(curve(figure9(["×1"]))).toBeUndefined();
    expect(curve({ ...figure9(["×0", "×1"]), table: "table2" })).toBeUndefined();
  });
});
