import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { TableFigures } from "../src/evaluate/table-figures.ts";
import { StageFolders } from "../src/experiments/folders.ts";
import { overSeedsAndPeople, pairedDifference } from "../src/experiments/intervals.ts";
import { runQueue } from "../src/experiments/queue.ts";
import { tableResult } from "../src/experiments/results.ts";
import type { ExperimentStage } from "../src/experiments/stages.ts";
import { experimentStatus } from "../src/experiments/status.ts";
import { cli } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-reproduce-"));
afterAll(() => rmSync(root, { recursive: true }));
const place = (...names: string[]) => join(root, ...names);

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
      steps: { mtd: 30, flow: 20, downstream: 10 },
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
