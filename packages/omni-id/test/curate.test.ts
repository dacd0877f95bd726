import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type Film, type FilmTruth, findFfmpeg, KeyedRandom, outcomes, ShardSet, shootFilms } from "@omni-id/data";
import { loadImage } from "@omni-id/face";
import { tensor } from "@omni-id/torch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { matchFilm } from "../../data/src/evaluate/film-truth.ts";
import { onnxBytes } from "../../torch/test/onnx-graph.ts";
import { cli } from "./command-line.ts";
import { TINY_FIRST_STAGE } from "./tiny-weights.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-curate-"));
afterAll(() => rmSync(root, { recursive: true }));
const place = (...names: string[]) => join(root, ...names);
const videos = place("videos");

const actor = (identity: number, motion: "turns" | "talks" = "turns") => ({ seed: 21, identity, look: 0, motion });
const film = (name: string, shots: Film["shots"]): Film => ({ name, height: 160, fps: 8, crf: 20, shots });
const films = [
  film("alone", [{ seconds: 2.5, actors: [actor(0)] }]),
  film("cut", [
    { seconds: 2.2, actors: [actor(1)] },
    { seconds: 2.2, actors: [actor(2)] },
  ]),
  film("pair", [{ seconds: 2.2, actors: [actor(3), actor(4)] }]),
  film("zebra", [{ seconds: 2, actors: [actor(5)] }]),
];
/** Small faces, and every frame of the films. */
const RECIPE = [
  "--set",
  "fps=8",
  "minSize=72",
  "size=96",
  "minQuality=0.02",
  "clusters=10",
  "shardSize=2",
  "--workers",
  "2",
];

let truths: FilmTruth[];

/** Frames in the journals of an unfinished set. */
function framesSeen(out: string): number {
  if (!existsSync(join(out, "work"))) return 0;
  try {
    return countFrames(out);
  } catch {
    return 0; // a file went while we looked
  }
}

function countFrames(out: string): number {
  const open = readdirSync(join(out, "work"), { recursive: true, withFileTypes: true }).filter(({ name }) =>
    name.endsWith(".jsonl"),
  );
  const lines = open.map(
    (entry) => readFileSync(join(entry.parentPath, entry.name), "utf8").split('\n{"n":').length - 1,
  );
  const finished = existsSync(join(out, "journal")) ? [...outcomes(out)].map(({ clips }) => clips[0].frames) : [];
  return [...lines, ...finished].reduce((sum, count) => sum + count, 0);
}

const curateInto = (out: string, ...more: string[]) =>
  cli("data", "curate", videos, "-o", place(out), ...RECIPE, ...more);

/** Every file of a finished set with its bytes. */
function filesOf(folder: string): Record<string, string> {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = all.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(paths.map((path) => [relative(folder, path), readFileSync(path).toString("base64")]));
}
/** The files of a set that two ways of making it must share. */
function sameSet(one: string, two: string): void {
  const [a, b] = [filesOf(place(one)), filesOf(place(two))];
  Reflect.deleteProperty(a, "merged-from.json");
  Reflect.deleteProperty(b, "merged-from.json");
  expect(Object.keys(a)).toEqual(Object.keys(b));
  for (const [name, bytes] of Object.entries(a)) expect(b[name] === bytes, `${name} differs`).toBe(true);
}

beforeAll(async () => {
  truths = await shootFilms(films, { out: videos, ffmpeg: findFfmpeg().ffmpeg, workers: 2 });
  writeFileSync(join(videos, "empty.mp4"), "");
  writeFileSync(join(videos, "non<sense>.mov"), "this is no video");
  expect(await curateInto("whole")).toMatchObject({ code: 0 });
});

describe("data curate", () => {
  it("finds every person once, each with eight pictures of nobody else", async () => {
    const set = await ShardSet.open(place("whole"));
    expect(set.ids).toEqual(["alone-p0", "cut-p0", "cut-p1", "pair-p0", "pair-p1", "zebra-p0"]);
    const byVideo = new Map([...outcomes(place("whole"))].map((outcome) => [outcome.video.video, outcome]));
    for (const truth of truths) {
      const outcome = byVideo.get(truth.film.name);
      if (!outcome) throw new Error(`${truth.film.name} is missing`);
      const { faces } = matchFilm(truth, outcome, 8);
      for (const { person } of outcome.people.filter(({ pictures }) => pictures > 0)) {
        const kept = faces.filter(({ seen }) => seen.person === person && seen.picture !== undefined);
        expect(kept).toHaveLength(8);
        expect(new Set(kept.map(({ truth: face }) => face?.person)).size).toBe(1);
      }
    }
    expect(byVideo.get("cut")?.clips[0].cuts).toEqual([expect.closeTo(2.25, 1)]);
  });

  it("writes aligned pictures whose landmarks, masks and poses fit", async () => {
    const set = await ShardSet.open(place("whole"));
    const { images, source, ...person } = await set.read("pair-p0");
    expect(source).toBe("pair");
    for (const [i, { landmarks, pose, quality, caption, from, width }] of images.entries()) {
      const picture = await loadImage(await person.image(i), { name: "a" });
      expect([picture.width, picture.height, width]).toEqual([96, 96, 96]);
      expect(caption).toBe("");
      expect(quality).toBeGreaterThan(0.02);
      expect(from).toMatchObject({ clip: "whole", size: expect.any(Number) });
      // Eyes are level and stand where FFHQ's alignment puts them.
      const eye = (first: number) =>
        [0, 1].map((k) => [0, 1, 2, 3, 4, 5].reduce((sum, j) => sum + landmarks[2 * (first + j) + k], 0) / 6);
      const [left, right] = [eye(36), eye(42)];
      expect(Math.abs(left[1] - right[1])).toBeLessThan(9);
      expect((left[1] + right[1]) / 2).toBeGreaterThan(30);
      expect((left[1] + right[1]) / 2).toBeLessThan(52);
      expect(Math.abs(pose.roll)).toBeLessThan(14);
      const mask = await loadImage((await person.mask(i)) as Uint8Array, { name: "m" });
      const at = (x: number, y: number) => mask.data[(Math.floor(y) * 96 + Math.floor(x)) * 3];
      expect(at(landmarks[60], landmarks[61])).toBe(255);
      expect(at(1, 1)).toBe(0);
    }
  });

  it("tells what was of no use, in the report too, and leaves no features behind", () => {
    const report = readFileSync(place("whole", "report.html"), "utf8");
    expect(report).toContain("6 identities × 8 faces");
    expect(report).toMatch(/empty: the file is empty/);
    expect(report).toMatch(/non&lt;sense&gt;: not a video that ffmpeg can read/);
    expect(report).not.toMatch(/(src|href)="(?!data:)/);
    const { summary } = JSON.parse(readFileSync(place("whole", "curation.json"), "utf8"));
    const dropped = Object.values(summary.dropped as Record<string, number>).reduce((sum, count) => sum + count, 0);
    expect(dropped + summary.kept).toBe(summary.faces);
    expect(summary).toMatchObject({ identities: 6, kept: 48, videos: 6, fruitful: 4, clips: 6 });
    expect(readdirSync(place("whole", "work"))).toEqual([]);
    expect(
      Object.values(filesOf(place("whole", "journal"))).some((bytes) =>
        Buffer.from(bytes, "base64").includes('"feature"'),
      ),
    ).toBe(false);
  });

  it("data inspect and data stats work on the result", async () => {
    expect(await cli("data", "inspect", place("whole"), "-o", place("sheet.png"))).toMatchObject({ code: 0 });
    const { code, out } = await cli("data", "stats", place("whole"), "--json", "--detect", "6");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ identities: 6, images: 48, imagesPerIdentity: { 8: 6 }, size: [96, 96] });
  });

  it("killed at ten random places, it ends in the same bytes", async () => {
    const bin = fileURLToPath(new URL("../bin/omni-id.mjs", import.meta.url));
    const args = [bin, "data", "curate", videos, "-o", place("killed"), ...RECIPE];
    const frames = truths.reduce((sum, truth) => sum + truth.frames.length, 0);
    const random = new KeyedRandom(Date.now());
    const places = random.choose(frames - 1, 10).sort((a, b) => a - b);
    let kills = 0;
    for (const at of places) {
      const child = spawn(process.execPath, args, { stdio: "ignore" });
      const watch = setInterval(() => {
        if (framesSeen(place("killed")) > at) child.kill("SIGKILL");
      }, 5);
      await new Promise((resolve) => child.once("close", resolve));
      clearInterval(watch);
      kills += Number(child.signalCode === "SIGKILL");
    }
    expect(kills).toBeGreaterThanOrEqual(9); // the last place may lie at the very end
    expect(await curateInto("killed")).toMatchObject({ code: 0 });
    sameSet("killed", "whole");
  });

  it("killed while it writes the shards, it ends in the same bytes", async () => {
    // As such a kill leaves it: everybody still in work, some new shards there, one of an older set, one half written.
    cpSync(place("whole"), place("half"), { recursive: true });
    const set = await ShardSet.open(place("whole"));
    const { writeSamples } = await import("../../data/src/shard-writer.ts");
    for (const video of ["alone", "cut", "pair", "zebra"]) {
      const ids = set.ids.filter((id) => id.startsWith(`${video}-`));
      await writeSamples(place("half", "work", `${video}.tar`), await Promise.all(ids.map((id) => set.sample(id))));
    }
    rmSync(place("half", "assembled.txt"));
    rmSync(place("half", "people-000001.tar"));
    cpSync(place("half", "people-000000.tar"), place("half", "people-000002.tar"));
    writeFileSync(place("half", "people-000001.tar.123.tmp"), "half a shard");
    expect(await curateInto("half")).toMatchObject({ code: 0 });
    sameSet("half", "whole");
  });

  it("a folder of videos may grow: the set is the one that was made at once", async () => {
    const growing = place("growing-videos");
    mkdirSync(growing);
    const copy = (name: string) => cpSync(join(videos, name), join(growing, name));
    for (const name of ["pair.mp4", "empty.mp4"]) copy(name);
    const into = ["-o", place("growing"), ...RECIPE];
    expect(await cli("data", "curate", growing, ...into)).toMatchObject({ code: 0 });
    for (const name of ["alone.mp4", "cut.mp4", "zebra.mp4", "non<sense>.mov"]) copy(name);
    expect(await cli("data", "curate", growing, ...into)).toMatchObject({ code: 0 });
    sameSet("growing", "whole");
  });

  it("a face-quality model takes the place of the built-in measure", async () => {
    const input = tensor(new Float32Array(3 * 512 * 512), { shape: [1, 3, 512, 512] });
    const mean = { op: "ReduceMean", inputs: ["x"], outputs: ["y"], attributes: { axes: [1, 2, 3], keepdims: 0 } };
    writeFileSync(place("mean.onnx"), onnxBytes({ nodes: [mean], inputs: { x: input }, outputs: ["y"], opset: 13 }));
    const curate = (...more: string[]) =>
      cli("data", "curate", join(videos, "zebra.mp4"), "-o", place("rated"), ...RECIPE, ...more);
    expect(await curate("--quality", place("mean.onnx"))).toMatchObject({ code: 0 });
    const { images } = await (await ShardSet.open(place("rated"))).read("zebra-p0");
    const qualities = images.map(({ quality = 0 }) => quality); // the mean brightness of aligned faces
    expect(Math.max(...qualities) - Math.min(...qualities)).toBeLessThan(0.15);
    expect(Math.min(...qualities)).toBeGreaterThan(0.05);
    expect(await curate()).toMatchObject({
      code: 1,
      err: expect.stringMatching(/begun with another face-quality model/),
    });
    expect(await curate("--quality", place("videos", "empty.mp4"))).toMatchObject({
      code: 1,
      err: expect.stringMatching(/not an ONNX model/),
    });
  });

  it("what cannot work is said at once", async () => {
    mkdirSync(place("nothing"), { recursive: true });
    const curate = (...args: string[]) => cli("data", "curate", ...args);
    expect(await curate(place("nothing"), "-o", place("x"))).toMatchObject({
      code: 1,
      err: expect.stringMatching(/nothing: no videos here/),
    });
    expect(await curate(place("nowhere"), "-o", place("x"))).toMatchObject({
      code: 1,
      err: expect.stringMatching(/nowhere does not exist/),
    });
    expect(await curateInto("whole", "--set", "fps=4")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/begun with fps 8, not 4/),
    });
    expect(await curateInto("x", "--shard", "5/4")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/write i\/n/),
    });
    expect(await curateInto("x", "--preset", "tiny")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/no preset "tiny"/),
    });
    expect(await curateInto("x", "--ffmpeg", "/none")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/ffmpeg is not at \/none/),
    });
  });
});

describe("data merge", () => {
  it("four parts come to what one process makes", async () => {
    for (const i of [1, 2, 3, 4]) expect(await curateInto(`part${i}`, "--shard", `${i}/4`)).toMatchObject({ code: 0 });
    const parts = [1, 2, 3, 4].map((i) => place(`part${i}`));
    expect(await cli("data", "merge", ...parts, "-o", place("merged"))).toMatchObject({
      code: 0,
      out: expect.stringMatching(/6 identities from 6 videos/),
    });
    sameSet("merged", "whole");
    expect(await cli("data", "merge", ...parts.slice(1), "-o", place("merged"))).toMatchObject({
      code: 1,
      err: expect.stringMatching(/not merged from these parts/),
    });
  });

  it("people of a video that two lists name are taken once", async () => {
    const box = { left: 0, top: 0, right: 1, bottom: 1 };
    const list = (name: string, spans: [number, number][]) => {
      const clips = spans.map(([start_sec, end_sec], i) => [
        `cut_${name}${i}`,
        { ytb_id: "cut", duration: { start_sec, end_sec }, bbox: box },
      ]);
      writeFileSync(place(`${name}.json`), JSON.stringify({ clips: Object.fromEntries(clips) }));
      return curateInto(`list-${name}`, "--celebv-hq", place(`${name}.json`));
    };
    expect(await list("a", [[0, 2.2]])).toMatchObject({ code: 0, out: expect.stringMatching(/1 identities/) });
    expect(
      await list("b", [
        [0, 2.1],
        [2.3, 4.4],
      ]),
    ).toMatchObject({ code: 0, out: expect.stringMatching(/2 identities/) });
    const { code, out } = await cli("data", "merge", place("list-a"), place("list-b"), "-o", place("lists"));
    expect([code, out]).toEqual([0, expect.stringMatching(/2 identities from 1 videos, 1 of them in several parts/)]);
    const set = await ShardSet.open(place("lists"));
    expect(set.ids).toEqual(["cut-p0", "cut-p1"]);
    const [outcome] = outcomes(place("lists"));
    expect(outcome.faces.filter(({ why }) => why === "twin")).toHaveLength(8);
    expect(outcome.faces.filter(({ picture }) => picture !== undefined)).toHaveLength(16);
  });
});

describe("data remove", () => {
  it("takes a video out of everything, proves it, and keeps it out", async () => {
    cpSync(place("whole"), place("removed"), { recursive: true });
    const remove = (video: string, ...more: string[]) =>
      cli("data", "remove", place("removed"), "--video", video, ...more);
    expect(await remove("pear")).toMatchObject({ code: 1, err: expect.stringMatching(/no video "pear" in this set/) });
    const { code, out } = await remove("pair", "--json");
    expect(code).toBe(0);
    const proof = JSON.parse(out);
    expect(proof.identities).toEqual(["pair-p0", "pair-p1"]);
    expect(new Set(proof.pictures).size).toBeGreaterThanOrEqual(16); // pictures; masks may be alike
    expect(proof.searched.entries).toBe(4 * 17);

    const set = await ShardSet.open(place("removed"));
    expect(set.ids).toEqual(["alone-p0", "cut-p0", "cut-p1", "zebra-p0"]);
    const whole = await ShardSet.open(place("whole"));
    expect(await set.sample("cut-p1")).toEqual(await whole.sample("cut-p1"));
    const left = filesOf(place("removed"));
    Reflect.deleteProperty(left, "removed.json");
    const bytes = Object.values(left).map((file) => Buffer.from(file, "base64"));
    for (const picture of (await whole.sample("pair-p0")).images)
      expect(bytes.some((file) => file.includes(Buffer.from(picture)))).toBe(false);
    for (const file of bytes) expect(file.includes("pair-p")).toBe(false);

    expect(await curateInto("removed")).toMatchObject({ code: 0 });
    expect((await ShardSet.open(place("removed"))).ids).toEqual(set.ids);
    expect(await remove("pair")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/no id and no picture of it is left/),
    });
  });
});

describe("a curated set", () => {
  it("trains: ten steps of stage one", async () => {
    const steps = ["mtd.optimisation.steps=10", "mtd.batch=3"];
    const { code, err } = await cli(
      ...["train", "mtd", "--data", place("whole"), "--out", place("run"), "--cache", place("cache")],
      ...["--set", ...TINY_FIRST_STAGE, ...steps, "--log-every", "5", "--held-out-every", "100"],
    );
    expect([code, err]).toEqual([0, expect.stringMatching(/step 10/)]);
    expect(err).toMatch(/6 people to train on/);
    expect(existsSync(place("run", "weights"))).toBe(true);
  });
});
