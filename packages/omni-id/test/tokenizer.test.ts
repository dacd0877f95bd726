import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Tokenizer } from "../src/text/tokenizer.ts";

const folder = mkdtempSync(join(tmpdir(), "omni-id-tokenizer-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(json: unknown): string {
  const path = join(folder, "tokenizer.json");
  writeFileSync(path, typeof json === "string" ? json : JSON.stringify(json));
  return path;
}

const special = (id: number, content: string) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

/** T5's kind: Unigram pieces with log probabilities, "▁" for a space, an end mark behind. */
const unigram = {
  version: "1.0",
  added_tokens: [special(0, "<pad>"), special(1, "</s>"), special(2, "<unk>")],
  normalizer: { type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
  pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
  post_processor: {
    type: "TemplateProcessing",
    single: [{ Sequence: { id: "A", type_id: 0 } }, { SpecialToken: { id: "</s>", type_id: 0 } }],
    pair: [],
    special_tokens: { "</s>": { id: "</s>", ids: [1], tokens: ["</s>"] } },
  },
  decoder: { type: "Metaspace", replacement: "▁", prepend_scheme: "always" },
  model: {
    type: "Unigram",
    unk_id: 2,
    vocab: [
      ["<pad>", 0],
      ["</s>", 0],
      ["<unk>", 0],
      ["▁a", -2],
      ["▁", -2.5],
      ["per", -4],
      ["son", -4],
      ["▁person", -5],
      ["▁per", -3],
      ["s", -6],
    ],
  },
};

/** CLIP's kind: byte-level pairs joined in the order of the merges, "</w>" at a word's end, marks on both sides. */
const bpe = {
  version: "1.0",
  added_tokens: [special(10, "<|startoftext|>"), special(11, "<|endoftext|>")],
  normalizer: {
    type: "Sequence",
    normalizers: [
      { type: "NFC" },
      { type: "Replace", pattern: { Regex: "\\s+" }, content: " " },
      { type: "Lowercase" },
    ],
  },
  pre_tokenizer: {
    type: "Sequence",
    pretokenizers: [
      {
        type: "Split",
        pattern: { Regex: "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+" },
        behavior: "Removed",
        invert: true,
      },
      { type: "ByteLevel", add_prefix_space: false, trim_offsets: true },
    ],
  },
  post_processor: {
    type: "RobertaProcessing",
    sep: ["<|endoftext|>", 11],
    cls: ["<|startoftext|>", 10],
    trim_offsets: false,
    add_prefix_space: false,
  },
  decoder: null,
  model: {
    type: "BPE",
    unk_token: "<|endoftext|>",
    continuing_subword_prefix: "",
    end_of_word_suffix: "</w>",
    vocab: {
      a: 0,
      b: 1,
      "a</w>": 2,
      "b</w>": 3,
      ".</w>": 4,
      ab: 5,
      "ab</w>": 6,
      "abab</w>": 7,
      ".": 8,
      "<|startoftext|>": 10,
      "<|endoftext|>": 11,
    },
    merges: ["a b", "a b</w>", "ab ab</w>"],
  },
};

const wordLevel = {
  version: "1.0",
  added_tokens: [special(0, "[PAD]"), special(1, "[UNK]")],
  normalizer: { type: "Lowercase" },
  pre_tokenizer: { type: "Whitespace" },
  post_processor: null,
  decoder: null,
  model: {
    type: "WordLevel",
    unk_token: "[UNK]",
    vocab: { "[PAD]": 0, "[UNK]": 1, photo: 2, of: 3, a: 4, ".": 5, photos: 6 },
  },
};

describe("a tokenizer.json", () => {
  it("of T5's kind takes the most probable pieces, the end mark behind", () => {
    const tokenizer = new Tokenizer(write(unigram), { length: 6, pad: "<pad>" });
    // "▁person" (−5) beats "▁per" + "son" (−7); "persons" ends in "s"; "xyz" is unknown as a whole.
    expect(tokenizer.ids("a person")).toEqual([3, 7, 1]);
    expect(tokenizer.ids("a   persons")).toEqual([3, 7, 9, 1]);
    expect(tokenizer.ids("a xyz")).toEqual([3, 4, 2, 1]);
    expect(tokenizer.encode(["a person", ""]).tolist()).toEqual([
      [3, 7, 1, 0, 0, 0],
      [1, 0, 0, 0, 0, 0],
    ]);
    expect(tokenizer.vocabulary).toBe(10);
  });

  it("of CLIP's kind merges pairs in their order, lower case, between its marks", () => {
    const tokenizer = new Tokenizer(write(bpe), { length: 8, pad: "<|endoftext|>" });
    expect(tokenizer.ids("Abab  AB b.")).toEqual([10, 7, 6, 3, 4, 11]);
    expect(tokenizer.ids("aab")).toEqual([10, 0, 6, 11]);
    const row = tokenizer.encode(["abab"]);
    expect(row.tolist()).toEqual([[10, 7, 11, 11, 11, 11, 11, 11]]);
    // CLIP pools at the highest id: the first of these.
    expect(row.argmax(1).tolist()).toEqual([2]);
  });

  it("of whole words, as the nano preset's", () => {
    const tokenizer = new Tokenizer(write(wordLevel), { length: 6, pad: "[PAD]" });
    expect(tokenizer.encode(["Photo of a photos.", "photog of"]).tolist()).toEqual([
      [2, 3, 4, 6, 5, 0],
      [1, 3, 0, 0, 0, 0],
    ]);
    expect(tokenizer.encode(["photo"]).dtype).toBe("int64");
  });

  it("refuses a prompt longer than the context, or cuts it before its end mark", () => {
    const path = write(bpe);
    const tokenizer = new Tokenizer(path, { length: 4, pad: "<|endoftext|>" });
    expect(() => tokenizer.encode(["ab ab ab ab"])).toThrow(
      `the prompt "ab ab ab ab" has 6 tokens, and the text encoder (${path}) reads 4: leave out about 2 tokens`,
    );
    expect(tokenizer.encode(["ab ab ab ab"], { truncate: true }).tolist()).toEqual([[10, 6, 6, 11]]);
  });

  it("is found in its folder, with its configuration beside it", () => {
    write(wordLevel);
    writeFileSync(join(folder, "tokenizer_config.json"), "{}");
    expect(new Tokenizer(folder, { length: 2, pad: "[PAD]" }).ids("of")).toEqual([3]);
  });

  it("that cannot be read says so in one line", () => {
    const open =
      (json: unknown, pad = "<pad>") =>
      () =>
        new Tokenizer(write(json), { length: 4, pad });
    expect(open("{ half")).toThrow(
      /tokenizer\.json: no readable tokenizer \(.*\); `omni-id models` says which is wanted$/,
    );
    expect(open({})).toThrow(/no readable tokenizer \(it has no "model"\)/);
    expect(open({ ...unigram, model: { type: "Magic", vocab: {} } })).toThrow(/no readable tokenizer/);
    expect(open(unigram, "[PAD]")).toThrow(/it has no token "\[PAD\]" to pad with; it is another model's tokenizer$/);
    expect(() => new Tokenizer(join(folder, "none.json"), { length: 4, pad: "a" })).toThrow(
      /none\.json: no readable tokenizer \(no such file\)/,
    );
  });
});
