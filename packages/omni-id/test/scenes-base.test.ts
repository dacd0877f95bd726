import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ShardSet, writeSyntheticShards } from "@omni-id/data";
import { loadImage } from "@omni-id/face";
import { noGrad, rand, randn, scope, type Tensor } from "@omni-id/torch";
import { afterAll, expect, it } from "vitest";
import { expectClose } from "../../torch/test/close.ts";
import { SentenceEncoder } from "../src/backbones/sentences.ts";
import type { FlowBase } from "../src/flow-base.ts";
import { cutScene } from "../src/people/cut.ts";
import { LAYOUT_CHANNELS, layoutTokens } from "../src/pictures/head-layout.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { wordsOf } from "../src/text/prompt-words.ts";
import { openBaseStage } from "../src/train/base/open.ts";
import { synthCommand } from "../src/train/commands.ts";
import { buildFlowBase } from "../src/weights/build.ts";
import { loadFlowBase, saveFlowBase, startFlowBase } from "../src/weights/flow.ts";
import { TINY_SCENES } from "./tiny-weights.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-scenes-base-"));
afterAll(() => rmSync(root, { recursive: true }));

const preset = resolvePreset("nano-scenes", TINY_SCENES);
const open = (data: string) =>
  openBaseStage({ data: [data], cache: join(root, "cache"), preset, seed: 1, note: () => {} });

it("the base learns whole scenes in all their wordings, and no faces", async () => {
  const data = join(root, "scenes");
  await writeSyntheticShards({ identities: 6, images: 1, scenes: 2, size: 32, seed: 2, out: data, workers: 2 });
  const { stage, model, people } = await open(data);
  expect(people.counts.every((count) => count === 2)).toBe(true);
  const record = await (await ShardSet.open(data)).read(people.ids[0]);
  expect(people.captions[0]).toBe(record.images[1].caption);
  expect(people.wordings[0]).toEqual(record.images[1].captions);
  // The picture is the whole one, byte for byte.
  const photo = await loadImage(await record.image(1), { name: "scene" });
  const crop = people.cropsOf([0]).squeeze(0).permute([1, 2, 0]).flatten();
  expect(Array.from(crop.toTypedArray() as ArrayLike<number>, Number)).toEqual([...photo.data]);

  expect(model.prompts).toBeInstanceOf(SentenceEncoder);
  const known = new Set((model.prompts as SentenceEncoder).vocabulary);
  for (const word of people.wordings.flat(2).flatMap(wordsOf)) expect(known).toContain(word);
  const told = new Set(Array.from({ length: 40 }, (_, step) => stage.batch(step).prompts).flat());
  expect([...told].filter((prompt) => people.wordings.flat().includes(prompt)).length).toBeGreaterThan(20);
  expect(told).toContain(preset.flow.prompt);
  const { loss } = stage.loss(stage.batch(0));
  loss.backward();
  const { words } = model.prompts as SentenceEncoder;
  expect(Number.isFinite(loss.item())).toBe(true);
  expect(words.weight.grad).toBeDefined();
});

it("a scene of another size keeps its place: landmarks and mask are scaled with it", async () => {
  const size = 8;
  const data = Uint8Array.from({ length: size * size * 3 }, (_, i) => (Math.floor(i / 3) % size < 4 ? 0 : 200));
  const landmarks = Float32Array.from({ length: 136 }, (_, i) => i % size);
  const { crop, landmarks: moved } = await cutScene(
    { width: size, height: size, data },
    { landmarks, mask: undefined, name: "none" },
    16,
  );
  expect([crop.width, crop.height]).toEqual([16, 16]);
  expect(moved[5]).toBe(10);
  expect([crop.data[3 * 2], crop.data[3 * 13]]).toEqual([0, 200]);
});

it("a base that was never told of layouts takes them, and draws the same until it is trained", async () => {
  const [without, folder] = [resolvePreset("nano-scenes", [...TINY_SCENES, "flow.layout=false"]), join(root, "untold")];
  mkdirSync(folder);
  const old = buildFlowBase(without);
  await saveFlowBase(folder, { base: old, preset: without, metadata: {} });
  expect((await loadFlowBase(folder)).base.layoutChannels).toBe(0);
  const started = buildFlowBase(preset);
  await startFlowBase(started, folder);
  const loaded = await loadFlowBase(folder, preset);
  expect(loaded.preset.flow.layout).toBe(true);

  scope(() =>
    noGrad(() => {
      const [tokens, channels] = old.tokenShape;
      const [x, t] = [randn([1, tokens, channels]), rand([1])];
      const more = randn([old.flux.options.width, LAYOUT_CHANNELS]);
      const layout = layoutTokens([{ x: 0.1, y: 0, size: 0.6, yaw: 5, pitch: 0, roll: 0 }], old.across);
      const velocity = (base: FlowBase, told?: Tensor) => base.velocity(x, t, base.prompts.encode(["a hat"]), {}, told);
      const before = velocity(old);
      for (const base of [started, loaded.base]) {
        expectClose(velocity(base, layout), before);
        expectClose(velocity(base), before);
        base.flux.img_in.weight.detach().narrow(1, channels, base.layoutChannels).copy_(more);
        expect(velocity(base, layout).sub(before).abs().max().item()).toBeGreaterThan(1e-4);
      }
    }),
  );
});

it("weights tell the command that renders their scenes again", async () => {
  expect(synthCommand(join(root, "scenes"))).toBe(
    "omni-id data synth --scenes 2 --identities 6 --images 1 --size 32 --seed 2",
  );
});

it("a set without scenes is told of, with what to do", async () => {
  const data = join(root, "faces");
  await writeSyntheticShards({ identities: 5, images: 1, size: 32, seed: 2, out: data, workers: 1 });
  await expect(open(data)).rejects.toThrow(/has no scenes, and the preset draws them; render some: omni-id data synth/);
});
