import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSyntheticShards } from "@omni-id/data";
import { loadImage } from "@omni-id/face";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PersonaliseReport } from "../src/evaluate/personalise/report.ts";
import { NANO_CLIP } from "../src/presets/nano-clip.ts";
import { cli } from "./command-line.ts";
import { TINY_SCENES } from "./tiny-weights.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-scenes-command-"));
afterAll(() => rmSync(root, { recursive: true }));
const place = (...names: string[]) => join(root, ...names);

describe("from the command line", () => {
  const [data, cache, base] = ["data", "cache", "base"].map((name) => place(name));
  // The adapter's folder holds the base that has learned along too.
  const weights = place("personalise", "weights");
  const small = [
    ...TINY_SCENES,
    "flow.base.optimisation.steps=2",
    ...["flow.adapter.batch=2", "flow.adapter.inputs=[1,2]", "flow.adapter.targets=2", "flow.adapter.likenessBatch=2"],
    ...["flow.adapter.optimisation.steps=2", "attributes.imageSize=32", "attributes.width=8", "attributes.batch=4"],
    "attributes.optimisation.steps=3",
  ];
  const smallClip = [
    `backbone=${JSON.stringify({ ...NANO_CLIP, width: 32, layers: 1, heads: 2, mlp: 64, imageSize: 16, pretrained: false })}`,
    ...["clip.projection=16", "clip.text.width=32", "clip.text.layers=1", "clip.text.heads=2", "clip.text.mlp=64"],
    ...["clip.batch=4", "clip.optimisation.steps=3"],
  ];
  const common = [
    "--preset",
    "nano-scenes",
    "--data",
    data,
    "--cache",
    cache,
    "--held-out-every",
    "0",
    "--set",
    ...small,
  ];
  const ok = async (...args: string[]) => {
    const result = await cli(...args);
    expect(result.code, result.err).toBe(0);
    return result;
  };

  beforeAll(async () => {
    await writeSyntheticShards({ identities: 7, images: 3, scenes: 2, size: 32, seed: 2, out: data, workers: 2 });
    await ok("train", "base", ...common, "--out", base);
    await ok("train", "personalise", ...common, "--base", join(base, "weights"), "--out", place("personalise"));
    await ok("train", "attributes", ...common, "--out", place("attributes"));
    await ok("train", "clip", ...common, ...smallClip, "--out", place("clip"));
    writeFileSync(place("two.txt"), "a person in a red jumper smiling\na person on a beach\n");
  }, 240_000);

  const evaluate = (...args: string[]) =>
    cli(
      ...["evaluate", "--stage", "personalise", "--data", data, "--cache", cache, "--weights", weights, "--steps", "2"],
      ...["--attributes", place("attributes", "weights"), "--prompts", place("two.txt"), "--people", "all"],
      ...["--identities", "3", "-o", place("report.json"), ...args],
    );

  it("draws everybody by every prompt, writes report and sheet, and draws nothing twice", async () => {
    const first = await evaluate("--arms", `again=${weights}`, "--clip", place("clip", "weights"));
    expect(first.code, first.err).toBe(0);
    const report = JSON.parse(readFileSync(place("report.json"), "utf8")) as PersonaliseReport;
    expect(report).toMatchObject({ identities: 3, prompts: 2, pixels: 32, photos: 3, steps: 2 });
    const { arms } = report;
    expect(Object.keys(arms)).toEqual(["base", "omni-id", "again"]);
    expect(Object.keys(arms["omni-id"].idSimilarity)).toEqual(["1", "3"]);
    expect(arms.again).toEqual(arms["omni-id"]);
    expect(arms["omni-id"].promptFollowing?.mean).toBeGreaterThanOrEqual(0);
    expect(arms.base.cost).toBeUndefined();
    for (const { ownLess, first, combinations } of Object.values(arms)) {
      expect(Math.abs(ownLess.mean)).toBeLessThan(1);
      expect(first.mean).toBeGreaterThanOrEqual(0);
      expect(combinations.met?.mean).toBeGreaterThanOrEqual(0);
      expect(combinations.heldOut).toBeUndefined();
    }
    expect(report.claims).toHaveLength(8);
    expect(Object.keys(report.classifier.accuracy)).toContain("garment");
    expect((await loadImage(place("report.png"))).width).toBeGreaterThan(400);
    expect(JSON.stringify(report)).not.toContain(root);
    expect(arms["omni-id"].imageText?.cosine.mean).toBeLessThanOrEqual(1);
    expect(Object.keys(report.clip?.zeroShot ?? {})).toContain("place");
    const again = await evaluate("--clip", place("clip", "weights"));
    expect(again.code, again.err).toBe(0);
    const second = JSON.parse(readFileSync(place("report.json"), "utf8")) as PersonaliseReport;
    expect(second.arms["omni-id"]).toEqual(arms["omni-id"]);
  });

  it("takes an arm whose base stayed frozen as its training leaves it", async () => {
    const frozen = ["flow.adapter.baseRate=0", "flow.adapter.told=1", "flow.adapter.encoderRate=1"];
    const arcface = ["representation.kind=arcface", "representation.photos=mean"];
    const from = ["--base", weights, "--out", place("arcface")];
    await ok("train", "personalise", ...common, ...frozen, ...arcface, ...from);
    const flux = (folder: string) => readFileSync(join(folder, "flux.safetensors"));
    expect(flux(place("arcface", "weights")).equals(flux(weights))).toBe(true);
    const made = await evaluate("--arms", `arcface=${place("arcface", "weights")}`, "-o", place("arms.json"));
    expect(made.code, made.err).toBe(0);
    const { arms, claims } = JSON.parse(readFileSync(place("arms.json"), "utf8")) as PersonaliseReport;
    expect(Object.keys(arms)).toEqual(["base", "omni-id", "arcface"]);
    expect(claims.filter(({ claim, difference }) => claim.includes("arcface") && difference)).toHaveLength(3);
  });

  it("tells no share of prompts that ask for nothing it could read", async () => {
    writeFileSync(place("odd.txt"), "собака\n");
    const made = await evaluate("--prompts", place("odd.txt"), "-o", place("odd.json"));
    expect(made.code, made.err).toBe(0);
    const text = readFileSync(place("odd.json"), "utf8");
    const report = JSON.parse(text) as PersonaliseReport;
    expect(report.arms["omni-id"].promptFollowing).toBeUndefined();
    expect(report.arms["omni-id"].hair.colour?.mean).toBeGreaterThanOrEqual(0);
    expect(report.claims.find(({ claim }) => claim.startsWith("… at no less"))?.answer).toBe("unresolved");
    expect(text).not.toContain("null");
  });

  it("says what is missing", async () => {
    for (const [args, said] of [
      [
        ["--attributes", place("none")],
        /none\/attributes\.safetensors: no such weights; train them \(omni-id train attributes\)/,
      ],
      [["--weights", join(base, "weights")], /holds no adapter that tells of a person: omni-id train personalise/],
      [["--arms", "arcface"], /expected NAME=FOLDER/],
      [["--prompts", place("none.txt")], /no file of prompts/],
      [["--identities", "1"], /people to measure on: 1, and a stranger is wanted for each/],
    ] as const) {
      const { code, err } = await evaluate(...args, "-o", place("refused.json"));
      expect(err).toMatch(said);
      expect(code).toBeGreaterThan(0);
    }
    const other = await cli("evaluate", "--people", "all", "-o", place("refused.json"));
    expect(other.err).toMatch(/--people all: of --stage personalise alone/);
    expect(existsSync(place("refused.json"))).toBe(false);
  });
});
