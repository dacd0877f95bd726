import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { kleinHere } from "../src/cli/klein-here.ts";
import { wordsOf } from "../src/cli/reproduce-stage.ts";
import type { TableFigures } from "../src/evaluate/table-figures.ts";
import { TABLES } from "../src/experiments/arms.ts";
import { StageFolders } from "../src/experiments/folders.ts";
import { overSeedsAndPeople, pairedDifference } from "../src/experiments/intervals.ts";
import { runQueue } from "../src/experiments/queue.ts";
import { tableResult } from "../src/experiments/results.ts";
import {
  type ExperimentSettings,
  type ExperimentStage,
  planExperiment,
  worthRunning,
} from "../src/experiments/stages.ts";
import { experimentStatus } from "../src/experiments/status.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { cli } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-reproduce-"));
afterAll(() => rmSync(root, { recursive: true }));
const place = (...names: string[]) => join(root, ...names);

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
    // Seven arms, of which table 3 shares two, and two of its own without the one whose pictures are missing.
    expect(runs).toHaveLength(2 * (7 + 4));
    // The encoder of table 1 is the full one of the others; what it is compared with has no stage one.
    const first1 = planExperiment({ ...settings, tables: ["table1", "table3"], seeds: 1 });
    const judged = (table: string, arm: string) =>
      first1.runs.find((run) => run.table === table && run.arm === arm)?.evaluate;
    // A point of figure 9 that table 2 has too.
    const curve = planExperiment({ ...settings, tables: ["table2", "figure9"], seeds: 1 }).runs;
    const point = (arm: string) => curve.find((run) => run.arm === arm)?.evaluate;
    expect([point("×0"), point("×1")]).toEqual([point("no-mtd"), point("full")]);
    expect(judged("table1", "omni-id")).toBe(judged("table3", "full"));
    expect(first1.stages.filter(({ label }) => label.startsWith("arcface ")).map(({ kind }) => kind)).toEqual([
      "flow",
      "downstream",
      "evaluate",
    ]);
    const first = (kind: string) => stages.filter((stage) => stage.seed === 0 && stage.kind === kind);
    expect(first("mtd")).toHaveLength(8);
    expect(first("flow")).toHaveLength(9);
    expect(first("downstream")).toHaveLength(4);
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

describe("the queue", () => {
  const stage = (id: string, needs: string[] = [], kind: ExperimentStage["kind"] = "evaluate"): ExperimentStage => ({
    ...{ id, kind, label: id, seed: 0, set: [], needs, data: "", steps: 1, poses: false },
  });
  const quiet = { note: () => {}, signal: new AbortController().signal };
  /** A process that writes what a measurement writes, or fails in words. */
  const runs =
    (folders: StageFolders, started: string[], failing?: string, ms = 0) =>
    (one: ExperimentStage): ChildProcess => {
      started.push(one.id);
      const script =
        one.id === failing
          ? "console.error('omni-id: no luck'); process.exit(1)"
          : `setTimeout(() => require('fs').writeFileSync(${JSON.stringify(folders.report(one.id))}, '{}'), ${ms})`;
      return spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "pipe"] });
    };

  it("leaves out what needs a stage that failed, does all else, and afterwards what is missing alone", async () => {
    const folders = new StageFolders(place("queue"));
    const stages = [stage("a"), stage("b", ["a"]), stage("c"), stage("d", ["c"])];
    const started: string[] = [];
    const options = { stages, folders, atOnce: 2, ...quiet };
    const first = await runQueue({ ...options, start: runs(folders, started, "a") });
    expect(first).toMatchObject({ done: 2, failed: [{ stage: { id: "a" }, why: "no luck" }], left: [{ id: "b" }] });
    expect(experimentStatus(stages, folders, 2)).toMatchObject({ done: 2, running: [], left: 2 });
    started.length = 0;
    expect(await runQueue({ ...options, start: runs(folders, started) })).toMatchObject({
      done: 2,
      failed: [],
      left: [],
    });
    expect(started).toEqual(["a", "b"]);
  });

  it("starts no training after its time, and still measures what is trained", async () => {
    const folders = new StageFolders(place("late"));
    const stages = [stage("trained"), stage("other", [], "mtd"), stage("measured", ["trained"])];
    const started: string[] = [];
    const start = runs(folders, started, undefined, 50);
    const result = await runQueue({ stages, folders, atOnce: 1, start, ...quiet, until: performance.now() });
    expect(started).toEqual(["trained", "measured"]);
    expect(result).toMatchObject({ done: 2, left: [{ id: "other" }] });
  });
});

describe("a table", () => {
  it("has the interval of a two-way draw: that of the mean where all seeds agree, wider where they do not", () => {
    const people = Array.from({ length: 40 }, (_, i) => Math.sin(i));
    const alike = overSeedsAndPeople([people, people, people]);
    const deviation = Math.sqrt(people.reduce((sum, value) => sum + (value - alike.mean) ** 2, 0) / 40 / 40);
    expect(alike.ci[1] - alike.ci[0]).toBeCloseTo(2 * 1.96 * deviation, 1);
    const apart = overSeedsAndPeople([people.map((v) => v - 1), people, people.map((v) => v + 1)]);
    expect(apart.ci[1] - apart.ci[0]).toBeGreaterThan(2 * (alike.ci[1] - alike.ci[0]));
    expect(pairedDifference([[1, 2]], [[3, 5]])).toEqual([[-2, -3]]);
  });

  it("answers yes, no, unresolved, each by the difference in pairs, and says what was not measured", () => {
    const noise = (i: number) => Math.sin(12.9898 * i) / 50;
    const figures = (level: number) => {
      const means = Array.from({ length: 44 }, (_, i) => 0.5 + noise(i) + level + noise(i + 100 * level) / 20);
      const all = { "1": means, "3": means.map((value) => value + 0.001), "5": means };
      const estimate = { mean: 0, ci: [0, 0] as [number, number] };
      return {
        idSimilarity: { bareBase: estimate, samePerson: { mean: 1, ci: [1, 1] }, otherPerson: estimate },
        perPerson: { people: "p", means: { idSimilarity: all } },
      } as unknown as TableFigures;
    };
    const arm = (level: number) =>
      new Map([
        [0, figures(level)],
        [1, figures(level + 0.0001)],
      ] as const);
    const measured = new Map([
      ["full", arm(0.1)],
      ["no-mtd", arm(0)],
      ["3-5", arm(0.2)],
      ["8-8", arm(0.1)],
    ]);
    const how = {
      commit: "",
      hardware: "",
      device: "cpu",
      precision: "float32",
      steps: settings.steps,
      seeds: 2,
      date: "",
      missing: [],
    };
    const { hypotheses, arms } = tableResult("table2", measured, how);
    const answers = Object.fromEntries(hypotheses.map(({ claim, answer }) => [claim.slice(0, 24), answer]));
    expect(answers).toMatchObject({
      "Stage one helps: without": "yes",
      "More targets are better:": "unresolved", // 3-1 was not measured; the last of two
      "Few-to-many 3→8 is bette": "unresolved",
      "Three photos give a bett": "yes",
    });
    expect(hypotheses[2]).toMatchObject({
      answer: "no",
      by: expect.stringMatching(/−0\.1.*2 seeds × 44 people/),
      paper: 0.1095,
    });
    expect(hypotheses[1].by).toBe("not measured yet: 3-1");
    expect(arms.full.seeds).toEqual([0, 1]);
    expect(arms.full.closed[1]).toBeCloseTo(arms.full.idSimilarity[1]?.mean ?? 0, 3);
  });
});

describe("omni-id reproduce", () => {
  const smoke = (...more: string[]) =>
    cli(
      "reproduce",
      "table2",
      "--smoke",
      "--arms",
      "full",
      "--seeds",
      "1",
      "--out",
      place("runs"),
      "--results",
      place("results"),
      ...more,
    );

  it("goes from nothing to a table, does nothing twice, and tells how far it is", async () => {
    const { code, err } = await smoke();
    expect(code, err).toBe(0);
    const table = JSON.parse(readFileSync(place("results", "table2.json"), "utf8"));
    expect(table).toMatchObject({
      arms: { full: { seeds: [0], idSimilarity: { "1": { mean: expect.any(Number) } } } },
      commit: expect.any(String),
      judge: expect.stringContaining("dlib"),
    });
    expect(Object.keys(table.arms)).toEqual(["full"]);
    const again = await smoke();
    expect(again.err).not.toMatch(/started/);
    const status = await cli("reproduce", "status", "--out", place("runs"));
    expect(status.out).toMatch(/3 of 3 stages done, 0 running, 0 left/);
  });

  it("trains nothing again that was measured, where the folder of the stages is gone", async () => {
    renameSync(place("runs"), place("away"));
    const { code, err } = await smoke();
    expect(code, err).toBe(0);
    expect(err).toMatch(/1 stages, 0 of them to be done/);
    const status = await cli("reproduce", "status", "--out", place("runs"));
    expect(status.out).toMatch(/1 of 1 stages done, 0 running, 0 left/);
    rmSync(place("runs"), { recursive: true });
    renameSync(place("away"), place("runs"));
  });

  it("writes what was measured as a page, with charts, and as one file that holds its pictures", async () => {
    const to = ["--from", place("results"), "--page", place("page.md"), "--html", place("page.html")];
    const { code, err } = await cli("reproduce", "report", ...to, "--pictures", place("runs"));
    expect(code, err).toBe(0);
    const { arms, hypotheses } = JSON.parse(readFileSync(place("results", "table2.json"), "utf8"));
    const page = readFileSync(place("page.md"), "utf8");
    expect(page).toContain(`| full | 3→8, 95 % masked | ${arms.full.idSimilarity[1].mean.toFixed(4)} [`);
    for (const { claim } of hypotheses) expect(page).toContain(`| ${claim} |`);
    const charts = [...page.matchAll(/\]\((experiments\/[\w-]+\.svg)\)/g)].map(([, file]) => file);
    expect(charts).toContain("experiments/table2-similarity.svg");
    for (const file of charts) expect(readFileSync(place(file), "utf8")).toMatch(/^<svg[\s\S]*<\/svg>\n$/);
    const html = readFileSync(place("page.html"), "utf8");
    expect(html).toMatch(/<img alt="full" src="data:image\/jpeg;base64,/);
    expect(html).not.toMatch(/(src|href)="(?!data:)/);
    const none = await cli("reproduce", "report", "--from", place("nothing"));
    expect(none).toMatchObject({ code: 1, err: expect.stringContaining("measure one first") });
  });

  it("refuses what it does not know, and a folder of another commit", async () => {
    expect(await cli("reproduce", "table9")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/"table9" is not known.*table/),
    });
    const arm = await cli("reproduce", "table2", "--arms", "no-mdt", "--out", place("none"));
    expect(arm).toMatchObject({ code: 2, err: expect.stringMatching(/did you mean "no-mtd"/) });
    expect(await cli("reproduce", "status", "--out", place("none"))).toMatchObject({
      code: 1,
      err: expect.stringContaining("nothing was begun"),
    });
    const file = place("runs", "experiment.json");
    expect(existsSync(file)).toBe(true);
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), commit: "0123456789ab" }));
    expect(await smoke()).toMatchObject({
      code: 2,
      err: expect.stringMatching(/begun by commit 0123456789ab.*--other-commit/),
    });
    expect((await smoke("--other-commit")).code).toBe(0);
  });
});
