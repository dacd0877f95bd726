import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { manualSeed, noGrad, saveSafetensors, type Tensor } from "@omni-id/torch";
import { type AutoencoderOptions, Flux2Autoencoder } from "../src/backbones/autoencoder.ts";
import { Flux } from "../src/backbones/flux.ts";
import type { FluxOptions } from "../src/backbones/flux-options.ts";
import { Qwen3, type Qwen3Options } from "../src/backbones/qwen3.ts";

/** A Qwen3 with as many layers as are read of the 4B. */
export const TINY_QWEN3: Qwen3Options = {
  vocabulary: 264,
  width: 8,
  layers: 28,
  heads: 4,
  keyHeads: 2,
  headWidth: 4,
  mlp: 12,
  outputs: [9, 18, 27],
};

export const TINY_KLEIN: FluxOptions = {
  generation: 2,
  inChannels: 8,
  vectorWidth: 0,
  contextWidth: 24,
  width: 32,
  heads: 2,
  doubleBlocks: 2,
  singleBlocks: 2,
  axes: [4, 4, 4, 4],
  guidance: false,
};

/** Its tokens are 16 pixels wide, like those of the full size. */
export const TINY_FLUX2_AUTOENCODER: AutoencoderOptions = {
  channels: 32,
  multipliers: [1, 1, 1, 1],
  resBlocks: 1,
  latentChannels: 2,
};

/** The klein preset's flow model at these sizes, for `--set`. */
export const TINY_KLEIN_SET = [
  "flow.prompts.length=64",
  "flow.flux.contextWidth=24",
  "flow.flux.width=32",
  "flow.flux.heads=2",
  "flow.flux.doubleBlocks=2",
  "flow.flux.singleBlocks=2",
  "flow.flux.axes=[4,4,4,4]",
];

const drawn = (make: () => { stateDict(): Map<string, Tensor> }, seed: number): Map<string, Tensor> => {
  manualSeed(seed);
  return noGrad(() => make().stateDict());
};

export const tinyKlein = () => drawn(() => new Flux(TINY_KLEIN), 5);
export const tinyFlux2Autoencoder = () => drawn(() => new Flux2Autoencoder(TINY_FLUX2_AUTOENCODER), 6);
export const tinyQwen3 = () => drawn(() => new Qwen3(TINY_QWEN3, { whole: true }), 7);

/** FLUX.2 [klein]'s files, tiny and untrained, where `omni-id models` looks for them. */
export function writeTinyKlein(models: string): void {
  const folder = join(models, "klein");
  mkdirSync(join(folder, "tokenizer"), { recursive: true });
  const save = (name: string, state: Map<string, Tensor>) => saveSafetensors(join(folder, name), state);
  save("flux-2-klein-base-4b.safetensors", tinyKlein());
  save("flux-2-klein-4b.safetensors", tinyKlein());
  save("ae.safetensors", tinyFlux2Autoencoder());
  save("qwen_3_4b.safetensors", new Map([...tinyQwen3()].map(([key, tensor]) => [`model.${key}`, tensor])));
  writeFileSync(join(folder, "tokenizer", "tokenizer.json"), JSON.stringify(byteTokenizer()));
}

/** Qwen3's kind of tokenizer without merges: a token a byte, NFC, and the special tokens of its chat frame. */
export function byteTokenizer(): object {
  const special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"];
  const pattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  return {
    version: "1.0",
    added_tokens: special.map((content, i) => ({
      id: 256 + i,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: i < 3,
    })),
    normalizer: { type: "NFC" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    post_processor: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false },
    model: { type: "BPE", vocab: byteVocabulary(), merges: [] },
  };
}

/** GPT-2's letters for the 256 bytes. */
function byteVocabulary(): Record<string, number> {
  const printable = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let next = 256;
  return Object.fromEntries(
    Array.from({ length: 256 }, (_, byte) => [String.fromCodePoint(printable(byte) ? byte : next++), byte]),
  );
}
