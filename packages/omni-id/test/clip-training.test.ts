import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manualSeed, noGrad, saveSafetensors, scope, type Tensor } from "@omni-id/torch";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { expectClose } from "../../torch/test/close.ts";
import { ClipVisionModel } from "../src/backbones/clip.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { openFirstStage } from "../src/train/mtd/open.ts";
import { loadEncoder } from "../src/weights/first-stage.ts";
import { cli } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-clip-"));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});
const place = (...names: string[]) => join(root, ...names);

const CLIP = { imageSize: 28, patchSize: 14, width: 32, layers: 1, heads: 2, mlp: 64, activation: "gelu" } as const;
/** The paper's preset, small. */
const SMALL = [
  ...Object.entries(CLIP).map(([key, value]) => `backbone.${key}=${value}`),
  ...["mtd.imageSize=28", "identity.tokens=4", "identity.width=32", "encoder.headWidth=16"],
  ...["mtd.decoder.patchSize=7", "mtd.decoder.width=32", "mtd.decoder.headWidth=16", "mtd.batch=2", "mtd.tokens=8"],
  ...["mtd.targets=3", "mtd.optimisation.steps=3", "mtd.optimisation.warmup=0", "mtd.optimisation.adamw=0.01"],
];
const KEY = "vision_model.encoder.layers.0.mlp.fc1.weight";
const pretrained = new Map<string, Tensor>();

beforeAll(async () => {
  await cli("data", "synth", "--identities", "6", "--images", "8", "--size", "96", "-o", place("data"));
  mkdirSync(place("models"));
  manualSeed(8);
  for (const [key, tensor] of new ClipVisionModel({ ...CLIP, projection: 16 }).stateDict()) pretrained.set(key, tensor);
  saveSafetensors(place("models", "clip-h.safetensors"), Object.fromEntries(pretrained));
  vi.stubEnv("OMNI_ID_MODELS", place("models"));
});

const open = (...set: string[]) =>
  openFirstStage({
    data: [place("data")],
    cache: place("cache"),
    preset: resolvePreset("paper", [...SMALL, ...set]),
    seed: 0,
    note: () => {},
  });

describe("stage one on CLIP", () => {
  it("starts from the pretrained weights, and trains them at their share of the rate", async () => {
    const { stage, model } = await open();
    const clip = model.encoder.stateDict();
    for (const [key, tensor] of pretrained) {
      if (!key.startsWith("visual_projection")) expectClose(clip.get(`backbone.clip.${key}`) as Tensor, tensor);
    }
    scope(() => stage.loss(stage.batch(1), 1).loss.backward());
    const slow = stage.groups.filter(({ rate }) => rate === 0.1);
    expect(slow.map(({ optimiser }) => optimiser)).toEqual(["adamw"]);
    expect(slow[0].parameters).toHaveLength(model.encoder.backbone.pretrained().length);
    const other = stage.groups.filter((group) => group !== slow[0]).flatMap(({ parameters }) => parameters);
    expect(other.filter((parameter) => slow[0].parameters.includes(parameter))).toEqual([]);
  });

  it("leaves a frozen one alone", async () => {
    const { stage, model } = await open("mtd.backboneRate=0");
    expect(model.encoder.backbone.pretrained().some((parameter) => parameter.requiresGrad)).toBe(false);
    expect(stage.groups.map(({ rate }) => rate)).not.toContain(0.1);
  });

  it("says which file is wanted, and when it is of another size", async () => {
    await expect(open("backbone.width=48", "backbone.heads=3")).rejects.toThrow(/clip-h.*another model size/s);
    vi.stubEnv("OMNI_ID_MODELS", place("elsewhere"));
    await expect(open()).rejects.toThrow(/CLIP ViT-H\/14's image encoder is not in .*omni-id models/);
    await expect(open("backbone.pretrained=false")).resolves.toBeDefined();
    vi.stubEnv("OMNI_ID_MODELS", place("models"));
  });

  it("trains by the same command, and its weights encode photos", async () => {
    const folders = ["--data", place("data"), "--cache", place("cache"), "--out", place("run")];
    const trained = await cli("train", "mtd", "--preset", "paper", ...folders, "--json", "--set", ...SMALL);
    expect(trained.code, trained.err).toBe(0);
    const { bundle } = await loadEncoder(place("run", "weights"));
    const moved = noGrad(() => {
      const now = bundle.encoder.stateDict().get(`backbone.clip.${KEY}`) as Tensor;
      return scope(() =>
        now
          .sub(pretrained.get(KEY) as Tensor)
          .abs()
          .max()
          .item(),
      );
    });
    expect(moved).toBeGreaterThan(0);

    const drawn = await cli("demo", "--weights", place("run", "weights"), "--out", place("demo.png"));
    expect(drawn.code, drawn.err).toBe(0);
  });
});
