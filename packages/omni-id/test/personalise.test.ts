import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyedRandom, ShardSet, writeSyntheticShards } from "@omni-id/data";
import { loadImage } from "@omni-id/face";
import { noGrad, saveSafetensors, scope, tensor, zeros } from "@omni-id/torch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectClose } from "../../torch/test/close.ts";
import { sampleFewToMany } from "../src/few-to-many.ts";
import type { FlowBase } from "../src/flow-base.ts";
import { SceneGenerator } from "../src/generate/scene-generator.ts";
import { identityMetadata } from "../src/identity-values.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { contradictions } from "../src/text/contradictions.ts";
import { openPersonaliseStage } from "../src/train/personalise/open.ts";
import { loadEncoder } from "../src/weights/first-stage.ts";
import { loadFlowBase } from "../src/weights/flow.ts";
import { shippedWeights } from "../src/weights/folder.ts";
import { cli } from "./command-line.ts";
import { TINY_SCENES, writeTinyFlowWeights, writeTinyWeights } from "./tiny-weights.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-personalise-"));
afterAll(() => rmSync(root, { recursive: true }));
const [data, cache, base, weights] = ["data", "cache", "base", "weights"].map((name) => join(root, name));

const SMALL = [
  ...TINY_SCENES,
  "flow.base.optimisation.steps=2",
  "flow.adapter.batch=2",
  "flow.adapter.inputs=[1,2]",
  "flow.adapter.targets=2",
  "flow.adapter.likeness=0.3",
  "flow.adapter.likenessBatch=2",
  "flow.adapter.optimisation.steps=2",
];
const common = ["--preset", "nano-scenes", "--data", data, "--cache", cache, "--set", ...SMALL] as const;

beforeAll(async () => {
  await writeSyntheticShards({ identities: 7, images: 2, scenes: 2, size: 32, seed: 2, out: data, workers: 2 });
  const trained = await cli("train", "base", ...common, "--out", base, "--held-out-every", "0");
  expect(trained.code, trained.err).toBe(0);
}, 120_000);

const open = (more: readonly string[] = [], encoder = shippedWeights(), from = data) =>
  openPersonaliseStage({
    data: [from],
    cache,
    preset: resolvePreset("nano-scenes", [...SMALL, ...more]),
    seed: 1,
    note: () => {},
    encoder,
    base: join(base, "weights"),
  });

describe("the training", () => {
  it("takes photos of faces in, and whole scenes of the same people with their own words out", async () => {
    const { stage, people: photos, model } = await open();
    const shards = await ShardSet.open(data);
    const record = await shards.read(photos.ids[0]);
    expect(photos.counts.every((count) => count === 2)).toBe(true);
    expect(record.images.filter(({ scene }) => scene === undefined)).toHaveLength(2);

    const steps = Array.from({ length: 30 }, (_, step) => stage.batch(step));
    const told = new Set(steps.flatMap(({ prompts }) => prompts));
    expect(told).toContain("photo of a person.");
    const own = (await Promise.all(photos.ids.map((id) => shards.read(id)))).flatMap(({ images }) =>
      images.flatMap(({ scene, captions = [] }) => (scene ? captions : [])),
    );
    for (const prompt of told) expect(["photo of a person.", ...own]).toContain(prompt);
    for (const { tasks, targets, prompts, noise } of steps) {
      expect([targets.length, prompts.length]).toEqual([4, 4]);
      expect(noise.shape).toEqual([4, 16, 24]);
      // Two scenes and two photos of each: row 2p and 2p + 1, whose are the same person's in both views.
      for (const [i, { person, inputs }] of tasks.entries()) {
        expect(inputs.length).toBeLessThanOrEqual(2);
        for (const row of targets.slice(2 * i, 2 * i + 2)) expect(Math.floor(row / 2)).toBe(person);
      }
    }
    const batch = stage.batch(0);
    const { loss, metrics } = stage.loss(batch, 0);
    loss.backward();
    expect(Number.isFinite(loss.item())).toBe(true);
    expect(Object.keys(metrics)).toContain("flow");
    // The representation stays frozen: identities that were made before mean the same afterwards.
    expect(model.encoder.parameters().every((parameter) => !parameter.requiresGrad)).toBe(true);
    expect(model.decoder.parameters().some((parameter) => parameter.grad !== null)).toBe(true);
    // The base learns along, latents stay; and all is frozen but the adapter where the preset says so.
    const taught = ({ flux, prompts, latents }: FlowBase) =>
      [flux, prompts, latents].map((part) => part.parameters().some((parameter) => parameter.grad !== null));
    expect(taught(model.base as FlowBase)).toEqual([true, true, false]);
    const frozen = await open(["flow.adapter.baseRate=0", "flow.adapter.told=1"]);
    expect(frozen.model.base).toBeUndefined();
    expect(frozen.base.base.parameters().every((parameter) => !parameter.requiresGrad)).toBe(true);
    expect(frozen.stage.batch(0).told).toBeUndefined();
  });

  it("asks a fresh representation to learn along, and then teaches it", async () => {
    const paperForm = ["flow.adapter.joined=false", "flow.adapter.modulation=false", "flow.adapter.likeness=0"];
    const other = (kind: string) => [`representation.kind=${kind}`, "representation.photos=mean", ...paperForm];
    await expect(open(other("arcface"), root)).rejects.toThrow(
      /would leave it so; add --set flow\.adapter\.encoderRate=1/,
    );
    for (const kind of ["arcface", "backbone"]) {
      const { stage, model } = await open([...other(kind), "flow.adapter.encoderRate=1"], root);
      const { loss } = stage.loss(stage.batch(0), 0);
      loss.backward();
      expect(Number.isFinite(loss.item())).toBe(true);
      expect(model.encoder.parameters().some((parameter) => parameter.requiresGrad)).toBe(true);
    }
  });

  it("takes altered copies too: of every photo, and of the only one, whatever scenes lie beside it", async () => {
    const { stage, people } = await open(["alteredInputs.copies=1", "alteredInputs.share=1"]);
    const inputs = stage.batch(0).tasks.flatMap((task) => task.inputs);
    expect(Math.min(...inputs)).toBeGreaterThanOrEqual(people.counts[0]);
    const single = join(root, "single");
    await writeSyntheticShards({ identities: 3, images: 1, scenes: 1, size: 32, seed: 2, out: single, workers: 2 });
    const alone = await open(["singles=altered", "flow.adapter.inputs=[1]"], shippedWeights(), single);
    expect(alone.people.altered).toEqual([true, true, true]);
    expect(Number.isFinite(alone.stage.loss(alone.stage.batch(0), 0).loss.item())).toBe(true);
  });

  it("says what a set lacks", async () => {
    const faces = join(root, "faces");
    await writeSyntheticShards({ identities: 2, images: 1, size: 32, seed: 2, out: faces, workers: 1 });
    const from = (folder: string) =>
      cli(
        "train",
        "personalise",
        ...common.slice(4),
        "--data",
        folder,
        "--cache",
        cache,
        "--base",
        join(base, "weights"),
        "--out",
        join(root, "no"),
      );
    const none = await from(faces);
    expect(none.code).toBe(1);
    expect(none.err).toContain("has no scenes, and the preset draws them");
  });
});

it("inputs and targets of different pictures: everybody with photos enough takes part, and all targets are possible", () => {
  const seen = new Set<string>();
  for (let step = 0; step < 200; step++) {
    const tasks = sampleFewToMany(new KeyedRandom(3, step), {
      counts: [1, 2, 4],
      targetCounts: [3, 0, 2],
      batch: 1,
      inputs: [1, 2],
      targets: 2,
    });
    for (const { person, inputs, targets } of tasks) {
      expect(person).not.toBe(1); // nothing to draw of this one
      if (inputs.length === 2) expect(person).toBe(2);
      for (const target of targets) seen.add(`${person}.${target}`);
    }
  }
  expect([...seen].sort()).toEqual(["0.0", "0.1", "0.2", "2.0", "2.1"]);
});

describe("from the command line", () => {
  const id = join(root, "somebody.safetensors");
  const out = (name: string) => join(root, `${name}.png`);

  beforeAll(async () => {
    const trained = await cli("train", "personalise", ...common, "--base", join(base, "weights"), "--out", weights);
    expect(trained.code, trained.err).toBe(0);
    const { name, hash, bundle } = await loadEncoder();
    const metadata = identityMetadata({ encoder: { name, hash }, photos: [], created: "2026-01-01" });
    saveSafetensors(id, { identity: zeros([...bundle.encoder.identityShape]).add(0.3) }, { metadata });
  }, 120_000);

  const all = join(root, "all");

  it("one folder holds what drawing takes, and the shipped encoder need not lie there once more", async () => {
    mkdirSync(all, { recursive: true });
    for (const name of ["flux", "autoencoder", "prompts", "ip-adapter"])
      cpSync(join(weights, "weights", `${name}.safetensors`), join(all, `${name}.safetensors`));
    expect(existsSync(join(weights, "weights", "omni-id-encoder.safetensors"))).toBe(true);
    // The base that has learned along is another one, and the adapter is its own.
    const hash = (folder: string) => readFileSync(join(folder, "weights", "flux.safetensors"));
    expect(hash(weights).equals(hash(base))).toBe(false);
    const { metadata } = await loadFlowBase(all);
    expect(metadata.stage).toBe("base + personalise");
    expect(metadata.history).toContain("omni-id train base --preset nano-scenes");
    const generator = await SceneGenerator.load(all);
    expect(generator.pixels).toBe(32);
    const identity = zeros([...generator.encoder.bundle.encoder.identityShape]).add(0.3);
    const wish = { prompt: "a person wearing a red hat", seed: 4, identity };
    const settings = { steps: 2, precision: "float32" } as const;
    // What is drawn does not depend on what is drawn beside it.
    const [alone, beside] = noGrad(() => [
      generator.draw([wish], settings),
      generator.draw([{ ...wish, seed: 9 }, wish], settings),
    ]);
    expect(alone.shape).toEqual([1, 3, 32, 32]);
    expectClose(
      scope(() => beside.narrow(0, 1, 1)),
      alone,
    );
    expect(() => generator.draw([wish, { prompt: "a man", seed: 1 }])).toThrow(/are not drawn together/);
  });

  it("is exported in 8 bits, whose pictures are all but the same, and whose identities stay valid", async () => {
    const out = join(root, "short");
    const made = await cli("export", "-o", out, "--weights", all, "--dtype", "int8", "--json");
    expect(made.code, made.err).toBe(0);
    const { files } = JSON.parse(made.out) as { files: string[] };
    expect(files).toEqual(["flux", "autoencoder", "prompts", "ip-adapter"].map((name) => `${name}.safetensors`));
    expect(readFileSync(join(out, "flux.md"), "utf8")).toContain("people in scenes");
    const identity = zeros([32, 128]).add(0.3);
    const draw = async (folder: string) => {
      const generator = await SceneGenerator.load(folder);
      const wish = { prompt: "a person wearing a red hat", seed: 4, identity };
      return noGrad(() => generator.draw([wish], { steps: 4, precision: "float32" }));
    };
    const [whole, short] = [await draw(all), await draw(out)];
    expect(scope(() => short.sub(whole).abs().mean().item())).toBeLessThan(0.02);
  });

  it("draws a person in a scene, and says what it cannot mean", async () => {
    const scene = (...args: string[]) => cli("generate", "--scene", "--weights", all, "--steps", "2", ...args);
    const made = await scene(
      "--id",
      id,
      "--prompt",
      "a person in front of a plain wall",
      "-n",
      "2",
      "-o",
      out("scene"),
    );
    expect(made.err).toBe("");
    expect(made.code).toBe(0);
    expect((await loadImage(out("scene"))).width).toBe(2 * 256 + 4);
    const anybody = await scene("--prompt", "a person", "-n", "1", "-o", out("anybody"), "--json");
    expect(JSON.parse(anybody.out)).toMatchObject({ scene: true, guidance: { text: 3, identity: 2 } });
    for (const [prompt, said] of [
      ["", ""],
      ["日本語", "does not know: 日本語"],
      ["xyzzy ".repeat(2000), "words that count, and the model takes 32: the rest is left out"],
      ["a bald person with long hair", "bald and long hair: a picture shows one length of hair"],
    ]) {
      const result = await scene("--prompt", prompt, "-n", "1", "-o", out("odd"));
      expect(result.err).toContain(said);
      expect(result.code).toBe(0);
    }
  });

  it("refuses what does not go together, each with the reason", async () => {
    const tiny = join(root, "tiny");
    await writeTinyWeights(tiny);
    await writeTinyFlowWeights(tiny);
    const stranger = join(root, "stranger.safetensors");
    const metadata = identityMetadata({ encoder: { name: "other", hash: "0".repeat(64) }, photos: [], created: "" });
    saveSafetensors(stranger, { identity: tensor([[1, 2]]) }, { metadata });
    for (const [args, said] of [
      [["--scene", "--id", id, id], /a scene shows one person, and 2 were given/],
      [["--scene", "--expression", "smile"], /--expression is not of scenes/],
      [["--scene", "--size", "100"], /--size is not of scenes/],
      [["--negative", "hat"], /--negative is of scenes: add --scene/],
      [["--scene", "--weights", tiny], /these weights draw aligned faces, and no scenes/],
      [["--weights", all, "--id", id], /draw scenes: add --scene/],
      [["--scene", "--weights", all, "--id", stranger], /made by encoder other/],
      [["--scene", "--weights", join(base, "weights"), "--id", id], /no ip-adapter\.safetensors/],
      [["--scene", "--weights", all, "--embedded-guidance", "3"], /is of FLUX\.1-dev/],
      [["--scene", "--weights", all, "--identity-start", "0.8", "--identity-end", "0.2"], /is not before/],
    ] as const) {
      const { code, err } = await cli("generate", ...args, "-n", "1", "-o", out("refused"));
      expect(err).toMatch(said);
      expect(code).toBeGreaterThan(0);
    }
    expect(existsSync(out("refused"))).toBe(false);
  });

  it("tells in the log how far the identity is used", () => {
    const log = readFileSync(join(weights, "log.jsonl"), "utf8");
    expect(log).toContain("gap_none");
  });
});

it("words that exclude each other are told of, and others are not", () => {
  expect(contradictions("a person on a beach, in a forest, smiling")).toEqual([
    "forest and beach: a picture shows one place",
  ]);
  expect(contradictions("a smiling person in front of a brick wall")).toEqual([]);
});
