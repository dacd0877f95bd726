import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FaceAnalyser, RgbImage } from "@omni-id/face/analysis";
import { afterAll, expect, test } from "vitest";
import type { Clip } from "../src/curate/clip.ts";
import { ClipJournal } from "../src/curate/journal.ts";
import { observeClip } from "../src/curate/observe-clip.ts";
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
