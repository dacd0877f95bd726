import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  breaks,
  drawPerson,
  drawSceneView,
  drawTruth,
  HELD_OUT_WORDS,
  type HeldOut,
  KeyedRandom,
  Portrait,
  readHeldOut,
  renderScenes,
  type SceneImage,
  type SceneTruth,
  ShardSet,
  type SyntheticImage,
  shardName,
  writeSyntheticShards,
} from "@omni-id/data";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = mkdtempSync(join(tmpdir(), "omni-id-scenes-"));
afterAll(() => rmSync(root, { recursive: true }));

const truths = (count: number, heldOut: HeldOut, only = false) =>
  Array.from({ length: count }, (_, i) => drawTruth(new KeyedRandom(i, 7), { heldOut, only }));

describe("held-out combinations", () => {
  test("are never drawn, while each of their words is", () => {
    const drawn = truths(3000, HELD_OUT_WORDS);
    for (const rule of HELD_OUT_WORDS) {
      expect(drawn.filter((truth) => breaks(truth, [rule]))).toEqual([]);
      for (const [key, value] of Object.entries(rule)) {
        expect(drawn.filter((truth) => breaks(truth, [{ [key]: value }])).length).toBeGreaterThan(30);
      }
    }
  });

  test("alone are drawn where they are to be measured, all of them", () => {
    const drawn = truths(300, HELD_OUT_WORDS, true);
    expect(drawn.every((truth) => breaks(truth, HELD_OUT_WORDS))).toBe(true);
    for (const rule of HELD_OUT_WORDS) expect(drawn.some((truth) => breaks(truth, [rule]))).toBe(true);
  });

  test("that leave nothing, or hold nothing out, are told of", () => {
    expect(() => truths(1, [{ setting: "indoors" }, { setting: "outdoors" }])).toThrow(/leave nothing to draw/);
    expect(() => truths(1, [], true)).toThrow(/check the words of the rules/);
  });

  test("come from a file, and a wrong one is told of", () => {
    const file = join(root, "rules.json");
    const read = (text: string) => {
      writeFileSync(file, text);
      return readHeldOut(file);
    };
    expect(read('[{ "hatColour": "red", "setting": "outdoors" }]')).toEqual([HELD_OUT_WORDS[0]]);
    expect(() => read("{")).toThrow(/rules.json: no file of held-out combinations/);
    expect(() => read("{}")).toThrow(/expected a list of rules/);
    expect(() => read("[3]")).toThrow(/rule 0: expected an object/);
    expect(() => read("[{}]")).toThrow(/would hold out every scene/);
    expect(() => read('[{ "hatColor": "red" }]')).toThrow(/have no "hatColor"; they have garment,/);
  });
});

describe("a set with scenes", () => {
  const recipe = { identities: 2, images: 1, scenes: 2, size: 64, seed: 3, shardSize: 2 };
  const out = join(root, "set");
  beforeAll(() => writeSyntheticShards({ ...recipe, out, workers: 2 }));

  test("keeps the usual pictures, and after them scenes with their truth and several wordings", async () => {
    const plain = join(root, "plain");
    await writeSyntheticShards({ identities: 2, images: 1, size: 64, seed: 3, shardSize: 2, out: plain, workers: 1 });
    const [one, two] = await Promise.all([ShardSet.open(out), ShardSet.open(plain)]);
    for (const id of one.ids) {
      const [scenes, usual] = [await one.read(id), await two.read(id)];
      expect(Buffer.from(await scenes.image(0)).equals(Buffer.from(await usual.image(0)))).toBe(true);
      expect(scenes.images[0]).toEqual(usual.images[0]);
      expect(scenes.images).toHaveLength(3);
      for (const { caption, captions, scene } of scenes.images.slice(1)) {
        expect(new Set(captions).size).toBe(4);
        expect(captions?.[0]).toBe(caption);
        expect(caption).toContain(scene?.garment);
        expect(caption).toContain(scene?.garmentColour);
        if (scene?.hat !== "none") expect(caption).toContain(`${scene?.hatColour} ${scene?.hat}`);
        expect(caption.includes("glasses")).toBe(scene?.glasses);
      }
    }
  });

  test("is the same whatever the number of workers; other rules are refused", async () => {
    const again = join(root, "again");
    await writeSyntheticShards({ ...recipe, out: again, workers: 1 });
    const bytes = (folder: string) => readFileSync(join(folder, shardName(0)));
    expect(bytes(again).equals(bytes(out))).toBe(true);
    await expect(writeSyntheticShards({ ...recipe, scenes: 3, out })).rejects.toThrow(/made with scenes 2, not 3/);
    await expect(writeSyntheticShards({ ...recipe, heldOut: [], out })).rejects.toThrow(/made with heldOut \[\{/);
    await expect(writeSyntheticShards({ ...recipe, scenes: 0, out })).rejects.toThrow(/scenes 2, not none/);
    const note = join(out, "recipe.json");
    const now = readFileSync(note, "utf8");
    writeFileSync(note, now.replace(/"sceneVersion": \d+,/, ""));
    await expect(writeSyntheticShards({ ...recipe, out })).rejects.toThrow(/made with sceneVersion none, not \d/);
    writeFileSync(note, now);
  });
});

test("every word that changes is seen: the rest of the picture stays", async () => {
  const size = 64;
  const person = drawPerson(1, 4);
  const portrait = await Portrait.create({ ...person, glasses: { ...person.glasses, worn: true } }, { size });
  const drawn = drawSceneView(person, 0, { heldOut: [] });
  const still = {
    ...drawn.truth,
    framing: "close-up",
    hat: "none",
    hatColour: "none",
    pattern: "plain",
    glasses: false,
  } as const;
  const view = {
    ...drawn,
    glasses: false,
    noise: 0,
    truth: { ...still, garment: "jumper", garmentColour: "red", place: "forest" },
  };
  const draw = async (change: Partial<SceneTruth>): Promise<SyntheticImage> =>
    portrait.renderScene(
      { ...view, glasses: change.glasses ?? false, truth: { ...view.truth, ...change } as SceneTruth },
      size,
    );
  const before = await draw({});
  const changed = async (change: Partial<SceneTruth>) => {
    const { image, mask } = await draw(change);
    const other = (i: number) =>
      [0, 1, 2].some((k) => Math.abs(image.data[3 * i + k] - before.image.data[3 * i + k]) > 12);
    const pixels = [...mask.keys()].filter(other);
    return {
      share: pixels.length / mask.length,
      face: pixels.filter((i) => before.mask[i] > 0).length / mask.length,
      image,
    };
  };
  const garment = await changed({ garmentColour: "blue" });
  expect(garment.share).toBeGreaterThan(0.03);
  expect(garment.face).toBeLessThan(0.01);
  expect((await changed({ pattern: "striped" })).share).toBeGreaterThan(0.01);
  expect((await changed({ place: "beach" })).share).toBeGreaterThan(0.2);
  expect((await changed({ place: "beach" })).face).toBeLessThan(0.01);
  expect((await changed({ hat: "hat", hatColour: "green" })).share).toBeGreaterThan(0.02);
  expect((await changed({ glasses: true })).face).toBeGreaterThan(0.005);
});

test("captions say what the truth says", async () => {
  const { images } = await renderScenes({ seed: 1, identity: 4, size: 32, images: 0, scenes: 8 });
  for (const { scene, captions } of images as SceneImage[]) {
    for (const caption of captions.slice(0, 3)) {
      expect(caption).toContain(
        `${scene.garmentColour} ${scene.pattern === "plain" ? "" : `${scene.pattern} `}${scene.garment}`,
      );
      expect(caption.includes("glasses")).toBe(scene.glasses);
      expect(caption.includes("smiling")).toBe(scene.expression === "smile");
    }
  }
});
