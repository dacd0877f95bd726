import { describe, expect, it } from "vitest";
import { expectClose } from "../../torch/test/close.ts";
import { type Prompts, WordEncoder } from "../src/backbones/words.ts";
import { vocabularyOf, wordsOf } from "../src/text/prompt-words.ts";

describe("words", () => {
  it("are what counts in a prompt, the frequent ones first", () => {
    expect(wordsOf("A photo of a middle-aged man, with the Blue eyes.")).toEqual([
      "photo",
      "middle-aged",
      "man",
      "blue",
      "eyes",
    ]);
    expect(vocabularyOf(["red hair", "hair and eyes", "the hair"], 2)).toEqual(["hair", "eyes"]);
  });

  it("a prompt is told by its words alone: case, order of stop words and padding change nothing", () => {
    const encoder = new WordEncoder({ vocabulary: 5, length: 4, context: 8, vector: 6 });
    encoder.vocabulary = ["photo", "person", "smiling"];
    const a = encoder.encode(["photo of a person.", "smiling"]) as Required<Prompts>;
    const b = encoder.encode(["Photo person"]) as Required<Prompts>;
    expect(a.txt.shape).toEqual([2, 4, 8]);
    expectClose(a.txt.select(0, 0), b.txt.select(0, 0));
    expectClose(a.y.select(0, 0), b.y.select(0, 0));
    expect(a.y.select(0, 0).sub(a.y.select(0, 1)).abs().max().item()).toBeGreaterThan(1e-3);
    expect(encoder.unknown("photo of a dragon")).toEqual(["dragon"]);
  });

  it("refuses a prompt longer than the context, and a vocabulary larger than its table", () => {
    const encoder = new WordEncoder({ vocabulary: 2, length: 2, context: 8, vector: 6 });
    expect(() => encoder.encode(["one two three"])).toThrow(/3 words that count, the model takes 2: shorten it/);
    expect(() => {
      encoder.vocabulary = ["a1", "b1", "c1"];
    }).toThrow(/3 words do not fit into a vocabulary of 2/);
  });
});
