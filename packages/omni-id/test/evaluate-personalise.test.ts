import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyedRandom, neverTogether, readSceneWords, SCENE_GROUPS, SCENE_WORDS, type SceneWords } from "@omni-id/data";
import { DLIB_TEMPLATE } from "@omni-id/face";
import { F, manualSeed, noGrad, randn, scope, type Tensor, zeros } from "@omni-id/torch";
import { afterAll, describe, expect, it, vi } from "vitest";
import { AttributeNetwork } from "../src/backbones/attribute-network.ts";
import { asClipSees } from "../src/backbones/clip.ts";
import type { FoundFace } from "../src/evaluate/generated-faces.ts";
import { claimsOf } from "../src/evaluate/personalise/claims.ts";
import { likenessOfScenes, samePeople, strangers } from "../src/evaluate/personalise/faces.ts";
import { imageText } from "../src/evaluate/personalise/image-text.ts";
import { accuracyOf, labelsOf } from "../src/evaluate/personalise/labels.ts";
import { borderColours, correlation, heldWord, leakageOf } from "../src/evaluate/personalise/leakage.ts";
import type { Measured } from "../src/evaluate/personalise/measure.ts";
import { readPrompts, SCENE_PROMPTS } from "../src/evaluate/personalise/prompts.ts";
import { following, followingByGroup } from "../src/evaluate/personalise/words.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { NANO_CLIP } from "../src/presets/nano-clip.ts";
import { AttributeStage } from "../src/train/attributes/stage.ts";
import { buildClip, clipIds } from "../src/weights/clip.ts";
import { fakePeople } from "./fake-people.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-scenes-"));
afterAll(() => rmSync(root, { recursive: true }));
const place = (...names: string[]) => join(root, ...names);
const prompt = (text: string) => ({ text, asks: readSceneWords(text) });

describe("the twenty prompts", () => {
  it("each ask for something that can be read off a picture, and six of them for what no training picture shows", () => {
    const prompts = readPrompts(SCENE_PROMPTS);
    expect(prompts).toHaveLength(20);
    for (const { text, asks } of prompts) expect(Object.keys(asks).length, text).toBeGreaterThanOrEqual(4);
    expect(prompts.map(({ asks }) => neverTogether(asks))).toEqual(prompts.map((_, i) => i >= 14));
    expect(prompts[0].asks).toEqual({
      ...{ garment: "jumper", garmentColour: "red", expression: "smile", place: "brick wall", glasses: "glasses" },
    });
  });

  it("may be others: a line each; what is no such file is told", () => {
    const file = place("prompts.txt");
    writeFileSync(file, "# mine\n\na red hat\r\n  a red hat\nсобака\n");
    expect(readPrompts(file)).toEqual([prompt("a red hat"), prompt("собака")]);
    expect(prompt("собака").asks).toEqual({});
    writeFileSync(file, "# nothing\n");
    expect(() => readPrompts(file)).toThrow(/holds no prompt; write one a line/);
    expect(() => readPrompts(place("none.txt"))).toThrow(/none.txt: no file of prompts, one a line/);
    writeFileSync(file, Array.from({ length: 201 }, (_, i) => `a person ${i}`).join("\n"));
    expect(() => readPrompts(file)).toThrow(/201 prompts; 200 at most/);
  });
});

describe("what is read off pictures", () => {
  const whole = (more: Partial<SceneWords>): SceneWords => ({ garment: "suit", hat: "none", ...more });

  it("follows a prompt by the share of what it asks", () => {
    const prompts = [prompt("a person in a red jumper, glasses"), prompt("hello"), prompt("a person on a beach")];
    const words = [
      ...[
        whole({ garment: "jumper", garmentColour: "blue", glasses: "glasses" }),
        whole({}),
        whole({ place: "beach" }),
      ],
      ...[whole({ garment: "jumper", garmentColour: "red", glasses: "none" }), whole({}), whole({ place: "snow" })],
    ];
    expect(following(words, prompts)).toEqual([
      [2 / 3, 1],
      [2 / 3, 0],
    ]);
    expect(followingByGroup(words, prompts)).toEqual({ garment: 1, garmentColour: 0.5, glasses: 0.5, place: 0.5 });
  });

  it("leaks what the photo shows and nobody asked for, by the difference that it makes", () => {
    const prompts = [prompt("a smiling person"), prompt("a person in a red hat")];
    const photos = [
      { words: { glasses: "glasses", expression: "angry" }, border: [0, 0.1, 0.2] },
      { words: { glasses: "none", expression: "smile" }, border: [1, 0.5, 0.3] },
    ];
    const words = [
      ...[
        { glasses: "glasses", expression: "angry" },
        { glasses: "none", expression: "sad" },
      ],
      ...[
        { glasses: "none", expression: "smile" },
        { glasses: "none", expression: "sad" },
      ],
    ];
    const bare = words.map(() => ({ glasses: "none", expression: "neutral" }));
    const borders = photos.flatMap(({ border }) => [border, border.map((value) => value * 2)]);
    const leaked = leakageOf({ prompts, photos }, { words, borders, bare });
    expect(leaked.glasses?.mean).toBe(0.5);
    expect(leaked.expression?.mean).toBe(1); // of one picture, that asked for a smile and has the photo's anger
    expect(leaked.background.mean).toBeGreaterThan(0.7);
    const none = leakageOf({ prompts, photos }, { words: bare, borders: borders.map(() => [0, 0, 0]), bare });
    expect([none.glasses?.mean, none.expression?.mean, none.background.mean]).toEqual([0, 0, 0]);
    const hats = [prompt("a person in a red hat"), prompt("a person"), prompt("a person with long black hair")];
    const truth = [{ hairColour: "red" }, {}];
    const seen = ["black", "red", "black", "red", "red", "red"].map((hairColour) => ({ hairColour }));
    expect(heldWord(seen, { prompts: hats, truth, group: "hairColour" })).toEqual([[1], []]);
  });

  it("correlates as the formula of sums has it, and not at all with what never varies", () => {
    const random = new KeyedRandom(4);
    const [a, b] = [0, 1].map(() => Array.from({ length: 30 }, () => random.range(-1, 1)));
    const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
    const n = a.length;
    const over = n * sum(a.map((v, i) => v * b[i])) - sum(a) * sum(b);
    const under = Math.sqrt(
      (n * sum(a.map((v) => v * v)) - sum(a) ** 2) * (n * sum(b.map((v) => v * v)) - sum(b) ** 2),
    );
    expect(correlation(a, b)).toBeCloseTo(over / under, 10);
    expect(
      correlation(
        a,
        a.map(() => 3),
      ),
    ).toBe(0);
    const picture = zeros([1, 3, 16, 16]).add(0.5);
    picture.narrow(2, 0, 4).narrow(3, 2, 12).fill_(-1); // between the corners
    expect(borderColours(picture)).toEqual([[0.5, 0.5, 0.5]]);
  });
});

describe("likeness", () => {
  it("lies between a person's own scenes and a stranger's, which a picture without a face counts as", async () => {
    manualSeed(2);
    const scenes = [0, 1].map(() => F.normalize(randn([3, 8]), { dim: 1 }));
    const judge = { measure: "cosine" as const, embed: () => randn([1, 8]), compare: () => [0] };
    const known = { scenes, first: scenes.map((own) => own.select(0, 0)), judge };
    const rows = scenes.map((own) => own.tolist() as number[][]);
    const dot = (a: number[], b: number[]) => a.reduce((total, value, i) => total + value * b[i], 0);
    const [same, apart] = [samePeople(known), strangers(known)];
    expect(same.map(({ length }) => length)).toEqual([3, 3]);
    expect(same[0][0]).toBeCloseTo(dot(rows[0][0], rows[0][1]), 5);
    expect(apart[0][1]).toBeCloseTo(dot(rows[0][0], rows[1][1]), 5);
    const blank = likenessOfScenes(known, zeros([2, 3, 64, 64]), [undefined, undefined]);
    const mean = apart.flat().reduce((total, value) => total + value, 0) / apart.flat().length;
    expect(blank.detected).toBe(0);
    expect(blank.likeness.flat()).toEqual([mean, mean]);
    expect(blank.copied).toEqual([[], []]);
    expect([blank.ownLess, blank.first]).toEqual([
      [[0], [0]],
      [[0], [0]],
    ]);

    // Both pictures show the first person.
    const face = { points: DLIB_TEMPLATE } as unknown as FoundFace;
    const seeing = { ...judge, embed: (pictures: Tensor) => scenes[0].narrow(0, 0, 1).expand([pictures.shape[0], 8]) };
    const drawn = likenessOfScenes({ ...known, judge: seeing }, zeros([2, 3, 150, 150]), [face, face]);
    const near = rows.map((own) => own.reduce((total, row) => total + dot(row, rows[0][0]) / 3, 0));
    for (const [person, value] of [near[0] - near[1], near[1] - near[0]].entries()) {
      expect(drawn.likeness[person][0]).toBeCloseTo(near[person], 5);
      expect(drawn.ownLess[person][0]).toBeCloseTo(value, 5);
    }
    expect(drawn.first).toEqual([[Number(near[0] > near[1])], [Number(near[1] > near[0])]]);
  });

  it("answers what was expected by differences in pairs", () => {
    const arm = (level: number, three = level): Measured =>
      ({
        idSimilarity: { "1": people(level), "3": people(three) },
        promptFollowing: people(0.5),
      }) as unknown as Measured;
    const people = (level: number) => Array.from({ length: 10 }, (_, i) => [level + Math.sin(i) / 50]);
    const answers = claimsOf({ "omni-id": arm(0.9, 0.95), arcface: arm(0.8, 0.97) });
    expect(answers.map(({ answer }) => answer)).toEqual([
      ...["yes", "no", "unresolved", "unresolved"], // arcface at 1 and 3 photos; clip was not drawn
      ...["yes", "unresolved"], // no less prompt following: the same
      ...["yes", "unresolved"], // three photos over one; five were not drawn
    ]);
    expect(answers[0].difference?.mean).toBeCloseTo(0.1, 10);
  });
});

describe("the network of attributes", () => {
  it("learns from whole captions alone, in the mirror too, and is measured by the words that are known", () => {
    const people = fakePeople(4, { side: 32, images: 2 });
    const labels = labelsOf(people, [0, 1]);
    expect((labels.hairColour.tolist() as number[]).map((n) => SCENE_WORDS.hairColour[n])).toEqual(["red", undefined]);
    expect(labels.glasses.tolist()).toEqual([0, 0]);
    manualSeed(3);
    const model = new AttributeNetwork({ imageSize: 32, width: 8 });
    const stage = new AttributeStage({ model, people, validation: people, batch: 4, seed: 1 });
    expect(stage.batch(5)).toEqual(stage.batch(5));
    const batch = stage.batch(0);
    const { loss } = stage.loss(batch);
    loss.backward();
    expect(model.heads.hairColour.weight.grad).not.toBeNull();
    // Nobody is told to wear a garment of any kind: that head learns nothing.
    expect(model.heads.garment.weight.grad).toBeNull();
    const scores = noGrad(() => model.scores(model.features(zeros([2, 3, 32, 32]), people.pointsOf([0, 1]))));
    for (const group of SCENE_GROUPS) expect(scores[group].shape).toEqual([2, SCENE_WORDS[group].length]);
    // The mirror turns picture and landmarks alike: a face that was looked at is looked at there.
    const seen = (turned: boolean) => {
      const pictures: Tensor[] = [];
      const spy = vi.spyOn(model.face, "forward").mockImplementation((faces) => {
        pictures.push(faces.clone().keep());
        return zeros([1, 128]);
      });
      scope(() => stage.loss({ rows: [0], turned: [turned] }));
      spy.mockRestore();
      return pictures[0];
    };
    const apart = (a: Tensor, b: Tensor) => scope(() => a.sub(b).abs().mean().item());
    expect(apart(seen(true), seen(false).flip([3]))).toBeLessThan(0.01);
    expect(apart(seen(true), seen(false))).toBeGreaterThan(0.1);
    const right = accuracyOf(model, people);
    expect(right.glasses).toBeGreaterThanOrEqual(0);
    expect(right.garment).toBeUndefined();
  });
});

describe("the image–text score", () => {
  it("is the cosine of a picture and its own prompt, and whether that is the nearest of all", async () => {
    manualSeed(6);
    const preset = resolvePreset("nano", [
      `backbone=${JSON.stringify({ ...NANO_CLIP, width: 16, layers: 1, heads: 2, mlp: 32, imageSize: 16, pretrained: false })}`,
      ...["clip.projection=8", "clip.text.width=16", "clip.text.layers=1", "clip.text.heads=2", "clip.text.mlp=32"],
    ]);
    const clip = buildClip(preset, ["red", "blue", "hat"]);
    const prompts = ["red hat", "blue hat", "hat"].map((text) => ({ text, asks: {} }));
    const pictures = randn([6, 3, 32, 32]);
    const { cosine, first } = imageText({ ...clip, imageSize: 16, hash: "" }, pictures, prompts);
    const near = noGrad(() =>
      scope(() => {
        const seen = clip.model.images(asClipSees(F.interpolate(pictures, { size: [16, 16], mode: "bilinear" })));
        const texts = clip.model.texts(
          clipIds(
            clip,
            prompts.map(({ text }) => text),
          ),
        );
        return seen.matmul(texts.t()).tolist() as number[][];
      }),
    );
    for (const [i, row] of near.entries()) {
      const [person, own] = [Math.floor(i / 3), i % 3];
      expect(cosine[person][own]).toBeCloseTo(row[own], 2);
      expect(first[person][own]).toBe(Number(Math.max(...row) === row[own]));
    }
  });
});
