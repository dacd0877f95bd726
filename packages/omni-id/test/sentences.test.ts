import { manualSeed, noGrad } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../torch/test/close.ts";
import { SentenceEncoder } from "../src/backbones/sentences.ts";
import { type Prompts, WordEncoder } from "../src/backbones/words.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { presetSchema } from "../src/presets/schema.ts";
import { buildFlowBase } from "../src/weights/build.ts";

const sizes = { vocabulary: 12, length: 8, context: 6, vector: 5 };
const words = ["red", "blue", "hat", "jumper", "person"];

function sentences(): SentenceEncoder {
  manualSeed(3);
  const encoder = new SentenceEncoder({ ...sizes, width: 16, layers: 2, heads: 2 });
  encoder.vocabulary = words;
  return encoder;
}
const apart = (a: Prompts, b: Prompts) => (a.y && b.y ? a.y.sub(b.y).abs().max().item() : Number.NaN);

describe("a sentence", () => {
  const [one, other] = ["a red hat and a blue jumper", "a blue hat and a red jumper"];

  it("is more than its words: who is red is told, which single words in a mean cannot", () => {
    const encoder = sentences();
    expect(apart(encoder.encode([one]), encoder.encode([other]))).toBeGreaterThan(1e-3);
    const bag = new WordEncoder(sizes);
    bag.vocabulary = words;
    expect(apart(bag.encode([one]), bag.encode([other]))).toBeLessThan(1e-6);
  });

  it("is the same alone and beside longer ones: empty places say nothing", () => {
    const encoder = sentences();
    const alone = encoder.encode([one]);
    const beside = encoder.encode(["red", one, ""]);
    expect(beside.txt.shape).toEqual([3, 8, 6]);
    expectClose(alone.txt.select(0, 0), beside.txt.select(0, 1));
    // A word at an empty place would be seen: the same sentence with one more.
    expect(apart(encoder.encode(["red hat"]), encoder.encode(["red hat person"]))).toBeGreaterThan(1e-3);
  });

  it("may be empty, and is then a number like any other", () => {
    const { txt, y } = sentences().encode([""]) as Required<Prompts>;
    expect(txt.isfinite().all().item()).toBeTruthy();
    expect(y.isfinite().all().item()).toBeTruthy();
  });

  it("that is too long, and words that are not known, are told of as with single words", () => {
    const encoder = sentences();
    expect(encoder.unknown("a red dragon")).toEqual(["dragon"]);
    expect(() => encoder.encode(["red ".repeat(9)])).toThrow(/9 words that count, the model takes 8: shorten it/);
    expect(noGrad(() => encoder.encode(["dragon dragon"]).txt.shape)).toEqual([1, 8, 6]);
    // A caption among thousands ends no training: it is cut.
    encoder.captions = true;
    const [long, cut] = [
      "red hat blue jumper person red hat blue jumper person",
      "red hat blue jumper person red hat blue",
    ];
    expect(apart(encoder.encode([long]), encoder.encode([cut]))).toBe(0);
  });

  it("is what a preset asks for, and every part of it learns", () => {
    const { flow, ...rest } = resolvePreset("nano");
    const kind = { kind: "transformer", vocabulary: 12, length: 8, width: 16, layers: 1, heads: 2 } as const;
    const preset = presetSchema.parse({ ...rest, flow: { ...flow, prompts: kind } });
    const { prompts } = buildFlowBase(preset);
    expect(prompts).toBeInstanceOf(SentenceEncoder);
    const encoder = prompts as SentenceEncoder;
    encoder.vocabulary = words;
    const { txt, y } = encoder.encode([one]) as Required<Prompts>;
    txt.square().sum().add(y.square().sum()).backward();
    for (const [key, parameter] of encoder.namedParameters()) expect(parameter.grad, key).toBeDefined();
  });
});
