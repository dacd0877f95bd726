import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSyntheticShards } from "@omni-id/data";
import { manualSeed, noGrad, randn, scope, type Tensor } from "@omni-id/torch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectClose } from "../../torch/test/close.ts";
import { ClipModel, contrastiveLoss } from "../src/backbones/clip-model.ts";
import { QUESTIONS, zeroShot } from "../src/evaluate/zero-shot.ts";
import { type ExperimentSettings, planExperiment } from "../src/experiments/stages.ts";
import { presetOverrides, presets, resolvePreset } from "../src/presets/index.ts";
import { NANO_CLIP } from "../src/presets/nano-clip.ts";
import { openClipStage } from "../src/train/clip/open.ts";
import { clipIds, loadClip } from "../src/weights/clip.ts";
import { loadRepresentation } from "../src/weights/first-stage.ts";
import { shippedWeights } from "../src/weights/folder.ts";
import { cli } from "./command-line.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-train-clip-"));
afterAll(() => rmSync(root, { recursive: true }));
const place = (...names: string[]) => join(root, ...names);
const TOWER = { width: 32, layers: 1, heads: 2, mlp: 64 } as const;
/** The nano CLIP, smaller still. */
const BACKBONE = `backbone=${JSON.stringify({ ...NANO_CLIP, ...TOWER, imageSize: 32, pretrained: place("clip", "weights") })}`;
const SMALL = [
  BACKBONE,
  ...["clip.projection=16", "clip.text.width=32", "clip.text.layers=1", "clip.text.heads=2", "clip.text.mlp=64"],
  ...["clip.batch=6", "clip.optimisation.steps=40", "clip.optimisation.warmup=2", "clip.optimisation.adamw=0.003"],
];
const data = place("data");

beforeAll(async () => {
  await writeSyntheticShards({ identities: 8, images: 2, size: 48, seed: 3, out: data, workers: 2 });
}, 120_000);

describe("the towers", () => {
  it("have Hugging Face's keys, and no others", () => {
    const model = new ClipModel({
      vision: { ...NANO_CLIP, ...TOWER },
      text: { ...TOWER, vocabulary: 20, length: 8, activation: "gelu" },
      projection: 16,
    });
    const layer = (tower: string) =>
      ["q", "k", "v", "out"]
        .map((name) => `self_attn.${name}_proj`)
        .concat("layer_norm1", "mlp.fc1", "mlp.fc2", "layer_norm2")
        .flatMap((name) => [`${tower}.encoder.layers.0.${name}.weight`, `${tower}.encoder.layers.0.${name}.bias`]);
    const norm = (name: string) => [`${name}.weight`, `${name}.bias`];
    expect([...model.stateDict().keys()].sort()).toEqual(
      [
        ...["logit_scale", "text_projection.weight", "visual_projection.weight"],
        ...["token_embedding.weight", "position_embedding.weight"].map((name) => `text_model.embeddings.${name}`),
        ...["class_embedding", "patch_embedding.weight", "position_embedding.weight"].map(
          (name) => `vision_model.embeddings.${name}`,
        ),
        ...[...layer("text_model"), ...layer("vision_model"), ...norm("text_model.final_layer_norm")],
        ...[...norm("vision_model.pre_layrnorm"), ...norm("vision_model.post_layernorm")],
      ].sort(),
    );
    expect(model.logit_scale.exp().item()).toBeCloseTo(1 / 0.07, 4);
  });

  it("learn by the mean of both directions' cross-entropy", () => {
    manualSeed(1);
    const logits = randn([4, 4]);
    const rows = logits.tolist() as number[][];
    const over = (values: number[], own: number) =>
      Math.log(values.reduce((sum, value) => sum + Math.exp(value), 0)) - values[own];
    const columns = rows.map((_, column) => rows.map((row) => row[column]));
    const mean = [...rows.keys()].reduce((sum, i) => sum + over(rows[i], i) + over(columns[i], i), 0) / 8;
    expect(contrastiveLoss(logits).item()).toBeCloseTo(mean, 5);
  });
});

describe("the training", () => {
  const open = (...more: string[]) =>
    openClipStage({
      ...{ data: [data], cache: place("cache"), seed: 1, note: () => {} },
      preset: resolvePreset("nano", [...SMALL, ...more]),
    });

  it("takes photos of different people with their captions, and draws a step by its number alone", async () => {
    const { stage, people, clip } = await open("clip.batch=4");
    for (let step = 0; step < 20; step++) {
      const { rows, captions } = stage.batch(step);
      expect(new Set(rows.map((row) => people.personOf(row))).size).toBe(4);
      expect(captions).toEqual(rows.map((row) => people.captions[row]));
      expect(stage.batch(step)).toEqual({ rows, captions });
    }
    scope(() => stage.loss(stage.batch(0)).loss.backward());
    const parameters = stage.model.namedParameters();
    expect(parameters.filter(([, { grad }]) => grad === null).map(([key]) => key)).toEqual([]);
    // The end of a text has the highest number, and what is unknown or too long does no harm.
    const ids = clipIds(clip, ["", "a photo of a man", "xyzzy ".repeat(99)]).tolist() as number[][];
    const end = Math.max(...ids.flat());
    expect(ids.map((row) => row.indexOf(end))).toEqual([0, 2, 32]);
    expect(ids[0].slice(1).every((id) => id === 0)).toBe(true);
  });

  it("answers questions in words alone: the words whose text lies nearest to the photo", async () => {
    const { people, clip } = await open();
    const right = zeroShot(clip, people, (rows) => people.maps(rows));
    // Captions of faces tell no place, and of no clothes.
    expect(Object.keys(right).sort()).toEqual(["hairColour", "hairLength", "ownCaptionFirst", "pose", "sex"]);
    const captions = people.rows.map((row) => people.captions[row]);
    for (const { truth, answers } of Object.values(QUESTIONS))
      for (const caption of captions) expect([undefined, ...Object.keys(answers)]).toContain(truth(caption));
    expect(QUESTIONS.sex.truth("a photo of an asian woman with a bald head")).toBe("woman");
    for (const share of Object.values(right)) expect(share).toBeLessThanOrEqual(1);
  });

  it("goes from photos to a backbone to a picture's tokens", async () => {
    const common = ["--data", data, "--cache", place("cache"), "--held-out-every", "0"];
    const trained = await cli("train", "clip", ...common, "--out", place("clip"), "--set", ...SMALL);
    expect(trained.code, trained.err).toBe(0);
    const losses = readFileSync(place("clip", "log.jsonl"), "utf8").match(/"loss":[\d.]+/g) ?? [];
    const [first, last] = [losses[0], losses[losses.length - 1]].map((text) => Number(text?.slice(7)));
    expect(last).toBeLessThan(first);
    const small = [
      ...[BACKBONE, "representation.kind=clip", "representation.photos=mean", "flow.adapter.joined=false"],
      ...[
        "flow.adapter.modulation=false",
        "flow.adapter.encoderRate=1",
        "flow.adapter.batch=2",
        "flow.adapter.targets=1",
      ],
      ...[
        "flow.adapter.likeness=0",
        "flow.adapter.optimisation.steps=2",
        "flow.adapter.inputs=[1]",
        "mtd.imageSize=32",
      ],
    ];
    const flow = await cli(
      ...["train", "flow", ...common, "--base", shippedWeights(), "--encoder", place("none"), "--out", place("flow")],
      ...["--set", ...small],
    );
    expect(flow.code, flow.err).toBe(0);
    // The tower is the trained one, bit for bit: it stays frozen.
    const { model } = await loadClip(place("clip", "weights"));
    const { bundle } = await loadRepresentation(place("flow", "weights"));
    const held = bundle.encoder.stateDict();
    const key = "vision_model.encoder.layers.0.mlp.fc1.weight";
    noGrad(() =>
      expectClose(held.get(`backbone.clip.${key}`) as Tensor, model.stateDict().get(key) as Tensor, { atol: 0 }),
    );
    const other = await cli(
      ...["train", "flow", ...common, "--base", shippedWeights(), "--encoder", place("none"), "--out", place("other")],
      ...["--set", ...small, "backbone.width=48"],
    );
    expect(other.err).toMatch(/clip\.safetensors: another CLIP than the preset's backbone/);
  }, 240_000);
});

describe("the backbone by its name", () => {
  it("replaces the preset's own as a whole, and is told as a whole again", () => {
    const preset = resolvePreset("nano-paper", ["backbone=nano-clip", "backbone.pretrained=false"]);
    expect(preset.backbone).toEqual({ ...NANO_CLIP, pretrained: false });
    const overrides = presetOverrides(presets["nano-paper"], preset);
    expect(overrides).toHaveLength(1);
    expect(resolvePreset("nano-paper", overrides)).toEqual(preset);
    expect(() => resolvePreset("nano", ["backbone=nano-clop"])).toThrow(/backbone has several values.*nano-clip/);
    expect(() => resolvePreset("nano", ["backbone=3"])).toThrow(/backbone has several values/);
  });

  it("gives table 1 the arms of CLIP, whose names hang on the file and not on its place", () => {
    const settings: ExperimentSettings = {
      ...{ tables: ["table1"], arms: ["clip", "arcface-clip"], seeds: 1, set: [] },
      steps: { mtd: 3, flow: 2, downstream: 1 },
      data: { folder: "clean", fingerprint: "c" },
      base: { folder: "base", hash: "b" },
      ...{ device: "cpu", precision: "float32", judging: { seed: 7, steps: 12 } },
    };
    const without = planExperiment(settings);
    expect(without.stages).toEqual([]);
    expect(without.leftOut.map(({ why }) => why)).toEqual(Array(2).fill(expect.stringContaining("omni-id train clip")));
    const ids = (folder: string, hash: string) =>
      planExperiment({ ...settings, clip: { folder, hash } }).stages.map(({ id }) => id);
    expect(ids("here", "a")).toHaveLength(6);
    expect(ids("there", "a")).toEqual(ids("here", "a"));
    expect(ids("here", "b").filter((id) => ids("here", "a").includes(id))).toEqual([]);
    const [flow] = planExperiment({ ...settings, clip: { folder: "here", hash: "a" } }).stages;
    expect(resolvePreset("nano-paper", flow.set)).toMatchObject({
      backbone: { kind: "clip", pretrained: "here" },
      representation: { kind: "clip", photos: "joined" },
    });
  });
});
