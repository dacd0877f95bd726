import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { kleinHere } from "../src/cli/klein-here.ts";
import { wordsOf } from "../src/cli/reproduce-stage.ts";
import { StageFolders } from "../src/experiments/folders.ts";
import { type ExperimentSettings, planExperiment, worthRunning } from "../src/experiments/stages.ts";
import { TABLES } from "../src/experiments/tables/index.ts";
import { resolvePreset } from "../src/presets/index.ts";

/** Nothing is written: names of folders alone. */
const place = (...names: string[]) => join("somewhere", ...names);

const settings: ExperimentSettings = {
  tables: ["table2", "table3"],
  seeds: 2,
  steps: { mtd: 30, flow: 20, downstream: 10 },
  set: [],
  data: { folder: "clean", fingerprint: "c" },
  base: { folder: "base", hash: "b" },
  device: "cpu",
  precision: "float32",
  judging: { seed: 7, steps: 12 },
};

describe("the stages of an experiment", () => {
  it("are each once, parents first, the first seed's before the second's", () => {
    const { stages, runs, leftOut } = planExperiment(settings);
    const place = new Map(stages.map(({ id }, i) => [id, i]));
    expect(place.size).toBe(stages.length);
    for (const [i, { needs }] of stages.entries()) for (const need of needs) expect(place.get(need)).toBeLessThan(i);
    const seeds = stages.map(({ seed }) => seed);
    expect(seeds).toEqual([...seeds].sort());
    // Seven arms, of which table 3 shares two, and three of its own without the one whose pictures are missing.
    expect(runs).toHaveLength(2 * (7 + 5));
    // The encoder of table 1 is the full one of the others; what it is compared with has no stage one.
    const first1 = planExperiment({ ...settings, tables: ["table1", "table3"], seeds: 1 });
    const judged = (table: string, arm: string) =>
      first1.runs.find((run) => run.table === table && run.arm === arm)?.evaluate;
    // A point of figure 9 that table 2 has too.
    const curve = planExperiment({ ...settings, tables: ["table2", "figure9"], seeds: 1 }).runs;
    const point = (arm: string) => curve.find((run) => run.arm === arm)?.evaluate;
    expect([point("×0"), point("×1")]).toEqual([point("no-mtd"), point("full")]);
    // Of its frozen encoders table 3 trains two adapters already.
    const frozen = planExperiment({ ...settings, tables: ["table3", "figure9-frozen"], seeds: 1 });
    const adapterOf = (table: string, arm: string) => {
      const judged = frozen.runs.find((run) => run.table === table && run.arm === arm)?.evaluate;
      const needs = (id?: string) => frozen.stages.find((stage) => stage.id === id)?.needs[0];
      return table === "table3" ? needs(needs(judged)) : needs(judged);
    };
    expect(["×0", "×1"].map((arm) => adapterOf("figure9-frozen", arm))).toEqual(
      ["neither", "no-flow"].map((arm) => adapterOf("table3", arm)),
    );
    expect(judged("table1", "omni-id")).toBe(judged("table3", "full"));
    expect(first1.stages.filter(({ label }) => label.startsWith("arcface ")).map(({ kind }) => kind)).toEqual([
      "flow",
      "downstream",
      "evaluate",
    ]);
    const first = (kind: string) => stages.filter((stage) => stage.seed === 0 && stage.kind === kind);
    expect(first("mtd")).toHaveLength(8);
    expect(first("flow")).toHaveLength(10);
    expect(first("downstream")).toHaveLength(5);
    expect(leftOut).toEqual([{ table: "table3", arm: "no-mfhq", why: expect.stringContaining("--web") }]);
  });

  it("have other names where anything that goes in is another, and no others", () => {
    const ids = (change: Partial<ExperimentSettings>) =>
      planExperiment({ ...settings, ...change }).stages.map(({ id }) => id);
    const before = ids({});
    expect(ids({ device: "cuda:1" })).toEqual(ids({ device: "cuda" }));
    expect(ids({ data: { folder: "elsewhere", fingerprint: "c" } })).toEqual(before);
    expect(ids({ seeds: 1 })).toEqual(before.slice(0, before.length / 2));
    for (const change of [
      { device: "cuda" },
      { precision: "bfloat16" },
      { set: ["mtd.batch=4"] },
      { data: { folder: "clean", fingerprint: "d" } },
    ]) {
      expect(ids(change).filter((id) => before.includes(id))).toEqual([]);
    }
    // Another base leaves stage one as it is.
    const kept = planExperiment({ ...settings, base: { folder: "base", hash: "c" } }).stages.filter(({ id }) =>
      before.includes(id),
    );
    expect(new Set(kept.map(({ kind }) => kind))).toEqual(new Set(["mtd"]));
  });

  it("have one measurement of klein's own references, where it can draw: nothing is trained, every seed has the same", () => {
    const table1 = { ...settings, tables: ["table1"], arms: ["references"] };
    expect(planExperiment({ ...table1, references: { missing: "no files" } })).toMatchObject({
      stages: [],
      runs: [],
      leftOut: [{ arm: "references", why: "no files" }],
    });
    const references = { pixels: 64, hash: "k" };
    const { stages, runs, leftOut } = planExperiment({ ...table1, references });
    expect([stages.length, leftOut]).toEqual([1, []]);
    expect(runs.map(({ seed, evaluate }) => [seed, evaluate])).toEqual([
      [0, stages[0].id],
      [1, stages[0].id],
    ]);
    const folders = new StageFolders(place("references"));
    const how = { folders, cache: "cache", threads: 1, settings: { ...table1, references } };
    expect(wordsOf(stages[0], how).join(" ")).toMatch(
      /^evaluate --stage references --data clean .*--base klein --size 64 --seed 7 -o \S*figures.json$/,
    );
    const [other] = planExperiment({ ...table1, references: { pixels: 64, hash: "l" } }).stages;
    expect(other.id).not.toBe(stages[0].id);
    expect(kleinHere(undefined, "cpu")).toEqual({ missing: expect.stringContaining("--device cuda") });
  });

  it("begin an arm with the shipped encoder where there is one: no stage one, and another one is another arm", () => {
    const table1 = { ...settings, tables: ["table1"], arms: ["omni-id-shipped"], seeds: 1 };
    expect(planExperiment(table1)).toMatchObject({ stages: [], leftOut: [{ why: expect.stringContaining("base") }] });
    const base = { folder: "base", hash: "b", encoder: "e" };
    const { stages } = planExperiment({ ...table1, base });
    expect(stages.map(({ kind }) => kind)).toEqual(["flow", "downstream", "evaluate"]);
    const how = { folders: new StageFolders(place("shipped")), cache: "cache", threads: 1, settings: table1 };
    expect(wordsOf(stages[0], how).join(" ")).toMatch(/^train flow .*--encoder base --base base /);
    expect(wordsOf(stages[1], how).join(" ")).toContain(`--encoder ${place("shipped", "stages", stages[0].id)}`);
    const [other] = planExperiment({ ...table1, base: { ...base, encoder: "f" } }).stages;
    expect(other.id).not.toBe(stages[0].id);
    // No other arm asks for it.
    const rest = (of: typeof base | typeof settings.base) =>
      planExperiment({ ...settings, base: of }).stages.map(({ id }) => id);
    expect(rest(base)).toEqual(rest(settings.base));
  });

  it("leave out arms of as many tokens as photos where the adapter takes one number of them", () => {
    for (const way of ["joined", "modulation"]) {
      const set = [`flow.adapter.${way}=true`];
      const { runs, leftOut } = planExperiment({ ...settings, tables: ["table1"], set, seeds: 1 });
      const left = leftOut.filter(({ why }) => why.includes(`--set flow.adapter.${way}=false`)).map(({ arm }) => arm);
      expect(left).toEqual(["arcface", "backbone"]);
      expect(runs.map(({ arm }) => arm)).toEqual(["omni-id", "arcface-mean", "backbone-mean", "omni-id-carried"]);
    }
  });

  it("are left out where all that they lead to is measured", () => {
    const { stages, runs } = planExperiment({ ...settings, tables: ["table2"], seeds: 1 });
    const measured = (...arms: string[]) => runs.filter(({ arm }) => arms.includes(arm)).map((run) => run.evaluate);
    const left = (done: readonly string[]) =>
      worthRunning(stages, ({ id }) => done.includes(id)).filter(({ id }) => !done.includes(id));
    expect(left([])).toEqual(stages);
    const [full] = measured("full");
    const own = stages.find(({ id }) => id === full)?.needs ?? [];
    expect(left([full]).map(({ id }) => id)).toEqual(
      stages
        .map(({ id }) => id)
        .filter(
          (id) => id !== full && !own.includes(id) && !stages.find((stage) => stage.id === own[0])?.needs.includes(id),
        ),
    );
    expect(left(runs.map((run) => run.evaluate))).toEqual([]);
  });

  it("take values that the preset knows, and claims name arms that there are", () => {
    for (const { set } of planExperiment({ ...settings, web: settings.data }).stages) resolvePreset("nano-paper", set);
    for (const { arms, hypotheses } of Object.values(TABLES)) {
      for (const { more, less } of hypotheses)
        expect(Object.keys(arms)).toEqual(expect.arrayContaining([more.arm, less.arm]));
    }
  });
});
