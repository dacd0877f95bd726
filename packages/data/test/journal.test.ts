import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Clip } from "../src/curate/clip.ts";
import { ClipJournal } from "../src/curate/journal.ts";
import { frameLine, likeness, parseFrame } from "../src/curate/observation.ts";
import { parseOutcome } from "../src/curate/outcome.ts";
import { parsePart, planVideos } from "../src/curate/plan.ts";
import { recipeOf, takeFolder } from "../src/curate/recipe.ts";
import { lockFolder } from "../src/curate/set-lock.ts";
import { curateSettings } from "../src/curate/settings.ts";
import { KeyedRandom } from "../src/random.ts";
import { faceOf, frameOf } from "./faces.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-journal-"));
afterAll(() => rmSync(root, { recursive: true }));
const video = join(root, "a.mp4");
writeFileSync(video, "a video");
const clip: Clip = { video: "a", name: "whole", path: video };
const random = new KeyedRandom(3);
const frames = Array.from({ length: 5 }, (_, n) => frameOf(n, [faceOf(random, { pose: { yaw: 10 * n } })], n === 3));

describe("ClipJournal", () => {
  const write = (name: string) => {
    const path = join(root, name);
    const journal = ClipJournal.open(path, clip, "recipe");
    for (const frame of frames) journal.add(frame);
    return { path, journal };
  };

  test("gives back what it was given, as the line says it, fresh or read again", () => {
    const { path, journal } = write("whole.jsonl");
    journal.finish({ frames: 5, note: "short" });
    const again = ClipJournal.open(path, clip, "recipe");
    expect(again.frames).toEqual(journal.frames);
    expect(again.end).toEqual({ frames: 5, note: "short" });
    expect(journal.frames[2].faces[0].feature).toEqual(frames[2].faces[0].feature);
    expect(journal.frames[3].cut).toBe(true);
  });

  test("cut anywhere, it keeps the whole lines before and goes on", () => {
    const { path } = write("cut.jsonl");
    const bytes = readFileSync(path);
    const header = bytes.indexOf("\n") + 1;
    for (let at = header; at < bytes.length; at += 997) {
      writeFileSync(path, bytes.subarray(0, at));
      const journal = ClipJournal.open(path, clip, "recipe");
      const whole = bytes.subarray(header, at).toString().split("\n").length - 1;
      expect(journal.frames).toHaveLength(whole);
      for (const frame of frames.slice(whole)) journal.add(frame);
      expect(readFileSync(path).equals(bytes)).toBe(true);
    }
  });

  test("garbage behind the last whole line is cut off", () => {
    const { path } = write("garbage.jsonl");
    const bytes = readFileSync(path);
    appendFileSync(path, '{"n":7,"t":1,"faces":\0\0\n{"n":8');
    expect(ClipJournal.open(path, clip, "recipe").frames).toHaveLength(5);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    appendFileSync(path, `${frameLine(frames[1])}\n`);
    expect(ClipJournal.open(path, clip, "recipe").frames).toHaveLength(5); // out of order
  });

  test("a clip that was refused halfway gives nothing", () => {
    const { path, journal } = write("refused.jsonl");
    journal.finish({ frames: 5, refused: "it hangs" });
    expect([journal.frames, ClipJournal.open(path, clip, "recipe").frames]).toEqual([[], []]);
  });

  test("another recipe, clip or file starts anew", () => {
    const { path } = write("other.jsonl");
    expect(ClipJournal.open(path, clip, "another").frames).toEqual([]);
    write("other.jsonl");
    expect(ClipJournal.open(path, { ...clip, span: { unit: "seconds", start: 1, end: 2 } }, "recipe").frames).toEqual(
      [],
    );
    write("other.jsonl");
    writeFileSync(video, "another video");
    expect(ClipJournal.open(path, clip, "recipe").frames).toEqual([]);
    writeFileSync(path, "");
    expect(ClipJournal.open(path, clip, "recipe").frames).toEqual([]);
  });
});

test("a line holds what is worth holding: features keep their angles", () => {
  const [a, b] = [0, 1].map((person) => faceOf(random, { person }));
  const back = parseFrame(frameLine(frameOf(0, [a, b]))).faces.map(({ feature }) => feature as Int8Array);
  expect(likeness(back[0], back[1])).toBeCloseTo(likeness(a.feature, b.feature), 12);
  expect(back[0]).toEqual(a.feature);
  expect(() => parseFrame('{"n":"x","faces":[]}')).toThrow();
});

describe("parseOutcome", () => {
  test("a journal that is cut off or damaged names itself", () => {
    expect(() => parseOutcome("j.jsonl", '{"video":"a","key":"a"}\n')).toThrow(/j\.jsonl: cut off; delete the file/);
    expect(() => parseOutcome("j.jsonl", '{"video":"a"\n')).toThrow(/j\.jsonl:1: damaged/);
  });
});

describe("planVideos", () => {
  const clips = Array.from({ length: 30 }, (_, i) => ({
    ...clip,
    video: `v${String(i % 11).padStart(2, "0")}`,
    name: `c${i}`,
  })).sort((a, b) => (a.video < b.video ? -1 : 1));
  test("parts share nothing and leave nothing out; clips of a video stay together", () => {
    const whole = planVideos(clips, { seed: 0 });
    expect(whole.flatMap(({ clips: own }) => own)).toEqual(clips);
    const parts = [1, 2, 3, 4].map((index) => planVideos(clips, { seed: 0, part: { index, count: 4 } }));
    const joined = parts.flat().sort((a, b) => (a.video < b.video ? -1 : 1));
    expect(joined).toEqual(whole); // what the report samples included
  });
  test("i/n is checked", () => {
    expect(parsePart("3/16")).toEqual({ index: 3, count: 16 });
    for (const text of ["0/4", "5/4", "1", "a/b", "-1/4"])
      expect(() => parsePart(text)).toThrow(/write i\/n with i from 1 to n/);
  });
});

describe("curateSettings", () => {
  test("replaces values, and names what is wrong", () => {
    expect(curateSettings("nano", ["fps=10", "minQuality=0.2"])).toMatchObject({ fps: 10, minQuality: 0.2, size: 160 });
    expect(curateSettings("paper")).toMatchObject({ minSize: 448, images: 8, size: 512 });
    expect(() => curateSettings("huge")).toThrow(/no preset "huge"; there are: nano, paper/);
    expect(() => curateSettings("nano", ["fsp=10"])).toThrow(/no setting "fsp"; there are: .*fps/);
    expect(() => curateSettings("nano", ["fps=fast"])).toThrow(/"fast" is no number/);
    expect(() => curateSettings("nano", ["fps=0"])).toThrow(/"fps" must be above 0/);
    expect(() => curateSettings("nano", ["clusters=4"])).toThrow(/"clusters" \(4\) must be at least "images"/);
    expect(() => curateSettings("nano", ["images=2.5"])).toThrow(/"images" must be a whole number/);
  });
});

describe("a set's folder", () => {
  test("is kept to one recipe", () => {
    const out = join(root, "set");
    const unlock = lockFolder(out);
    takeFolder(out, recipeOf(curateSettings("nano")));
    takeFolder(out, recipeOf(curateSettings("nano")));
    expect(() => takeFolder(out, recipeOf(curateSettings("nano", ["fps=10"])))).toThrow(/was begun with fps 5, not 10/);
    expect(() => takeFolder(out, recipeOf(curateSettings("nano"), "abc"))).toThrow(/another face-quality model/);
    unlock();
    const foreign = join(root, "foreign");
    lockFolder(foreign)();
    writeFileSync(join(foreign, "people-000000.tar"), "");
    expect(() => takeFolder(foreign, recipeOf(curateSettings("nano")))).toThrow(/not curated here/);
  });
  test("is locked while a process works in it; the lock of a dead one is taken over", () => {
    const out = join(root, "locked");
    const unlock = lockFolder(out);
    writeFileSync(join(out, ".lock"), String(process.ppid));
    expect(() => lockFolder(out)).toThrow(/works here already/);
    writeFileSync(join(out, ".lock"), "999999999");
    lockFolder(out)();
    unlock();
  });
});
