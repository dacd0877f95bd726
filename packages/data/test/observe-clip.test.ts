import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FaceAnalyser, RgbImage } from "@omni-id/face/analysis";
import { afterAll, expect, test } from "vitest";
import type { Clip } from "../src/curate/clip.ts";
import { ClipJournal } from "../src/curate/journal.ts";
import { observeClip } from "../src/curate/observe-clip.ts";
import { revisit } from "../src/curate/revisit.ts";
import { curateSettings } from "../src/curate/settings.ts";
import { findFfmpeg } from "../src/curate/video/ffmpeg.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-observe-"));
afterAll(() => rmSync(root, { recursive: true }));
const ffmpeg = findFfmpeg();

test("frames that a slow video repeats are looked at once, resumed or not", async () => {
  const path = join(root, "slow.mkv");
  const made = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=1:d=4", "-c:v", "ffv1", path];
  spawnSync(ffmpeg.ffmpeg, ["-v", "error", ...made]);
  const clip: Clip = { video: "slow", name: "whole", path };
  const seen: RgbImage[] = [];
  const analyser = {
    detect: async (image: RgbImage) => {
      if (!seen.includes(image)) seen.push(image);
      return [];
    },
  } as unknown as FaceAnalyser;
  const look = async (journal: string) => {
    const opened = ClipJournal.open(join(root, journal), clip, "recipe");
    await observeClip(clip, opened, { analyser, settings: curateSettings("nano") }, { ffmpeg });
    return readFileSync(opened.path, "utf8");
  };
  const whole = await look("whole.jsonl");
  expect(whole.match(/"n":/g)?.length).toBeGreaterThan(15);
  expect(seen).toHaveLength(4);

  // Killed in the middle of a repeated frame.
  writeFileSync(join(root, "cut.jsonl"), whole.split("\n").slice(0, 9).join("\n").concat("\n"));
  seen.length = 0;
  expect(await look("cut.jsonl")).toBe(whole);
  expect(seen).toHaveLength(2);
});

/** A film with a red left half, of whose faces it is said that they are turned until that half is on top. */
function lyingFilm(boxed: boolean): { clip: Clip; analyser: FaceAnalyser } {
  const path = join(root, "lying.mkv");
  const halves = "color=red:s=100x200:r=5:d=4[a];color=blue:s=100x200:r=5:d=4[b];[a][b]hstack,noise=alls=40:allf=t";
  spawnSync(ffmpeg.ffmpeg, ["-v", "error", "-y", "-f", "lavfi", "-i", halves, "-c:v", "ffv1", path]);
  const box = { x: 50, y: 50, width: 100, height: 100 };
  const analyser = {
    detect: async () => [{ box, score: 0.99 }],
    landmarks: async () => new Float32Array(136),
    describe: async () => ({ feature: new Float32Array(512), strength: 3 }),
    turned: async (image: RgbImage) => (isUpright(image) ? undefined : { turn: 270 }),
  } as unknown as FaceAnalyser;
  const share = { unit: "share", left: 0, top: 0, right: 1, bottom: 1 } as const;
  return { clip: { video: "lying", name: "whole", path, ...(boxed && { box: share }) }, analyser };
}

/** Both upper corners are red. */
function isUpright({ data, width }: RgbImage): boolean {
  const red = (x: number) => data[3 * (20 * width + x)] > data[3 * (20 * width + x) + 2];
  return red(20) && red(width - 20);
}

test("a film on its side is looked at turned, the second time too, and says so; resumed or not", async () => {
  const { clip, analyser } = lyingFilm(false);
  const settings = curateSettings("nano");
  const look = async (name: string) => {
    const journal = ClipJournal.open(join(root, name), clip, "recipe");
    return { journal, end: await observeClip(clip, journal, { analyser, settings }, { ffmpeg }) };
  };
  const { journal, end } = await look("lying.jsonl");
  expect(end.refused).toBeUndefined();
  expect(end.note).toMatch(/lies on its side.*by 270°.*turned upright/);
  expect(journal.turn).toBe(270);
  expect(journal.frames.map(({ faces }) => faces[0].turn)).toEqual(expect.arrayContaining([0]));
  expect(journal.frames.some(({ faces }) => faces[0].turn === 270)).toBe(false);

  const pictures: RgbImage[] = [];
  const work = new Map([[2, [async ({ image }: { image: RgbImage }) => void pictures.push(image)]]]);
  await revisit(clip, work, { ffmpeg, fps: settings.fps, turn: journal.turn });
  expect(isUpright(pictures[0])).toBe(true);

  const whole = readFileSync(journal.path, "utf8");
  const lines = whole.trimEnd().split("\n");
  const turned = lines.findIndex((line) => line.startsWith('{"turn"'));
  for (const [i, kept] of [turned - 1, turned + 1, turned + 3].entries()) {
    const path = join(root, `lying-cut-${i}.jsonl`);
    writeFileSync(path, `${lines.slice(0, kept).join("\n")}\n`);
    await look(`lying-cut-${i}.jsonl`);
    expect(readFileSync(path, "utf8")).toBe(whole);
  }
});

test("a film on its side in which somebody drew a box is refused, with the filter that turns it", async () => {
  const { clip, analyser } = lyingFilm(true);
  const journal = ClipJournal.open(join(root, "boxed.jsonl"), clip, "recipe");
  const end = await observeClip(clip, journal, { analyser, settings: curateSettings("nano") }, { ffmpeg });
  expect(end.refused).toMatch(/lies on its side.*-vf transpose=1 /);
});
