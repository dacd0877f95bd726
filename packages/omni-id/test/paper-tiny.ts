import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { manualSeed, noGrad, saveSafetensors, type Tensor } from "@omni-id/torch";
import { type AutoencoderOptions, FLUX_AUTOENCODER, FluxAutoencoder } from "../src/backbones/autoencoder.ts";
import { ClipVisionModel } from "../src/backbones/clip.ts";
import { ClipTextModel } from "../src/backbones/clip-text.ts";
import { Flux } from "../src/backbones/flux.ts";
import { T5Encoder } from "../src/backbones/t5.ts";

const CLIP = { imageSize: 28, patchSize: 14, width: 32, layers: 1, heads: 2, mlp: 64, activation: "gelu" } as const;
const [CONTEXT, VECTOR] = [16, 64];
/** A head of FLUX.1 has 128 channels in every size. */
const FLUX = { width: 128, heads: 1, mlpRatio: 1, doubleBlocks: 2, singleBlocks: 1, axes: [16, 56, 56] };
/** Its tokens are 16 pixels wide, like those of the full size. */
const AUTOENCODER: AutoencoderOptions = { channels: 32, multipliers: [1, 1, 1, 1], resBlocks: 1, latentChannels: 2 };
const TOKENS = 300;

/** The paper preset at these sizes, for `--set`: stage one at 28 px, the flow model at 64 px. */
export const TINY_PAPER_SET = [
  ...Object.entries(CLIP).map(([key, value]) => `backbone.${key}=${value}`),
  ...["identity.tokens=4", "identity.width=32", "encoder.headWidth=16"],
  ...["mtd.imageSize=28", "mtd.decoder.patchSize=7", "mtd.decoder.width=32", "mtd.decoder.headWidth=16"],
  ...["mtd.batch=2", "mtd.tokens=16", "mtd.optimisation.steps=3", "mtd.optimisation.warmup=0"],
  ...["flow.imageSize=64", "flow.prompts.length=32"],
  ...[`flow.flux.vectorWidth=${VECTOR}`, `flow.flux.contextWidth=${CONTEXT}`],
  ...Object.entries(FLUX).map(([key, value]) => `flow.flux.${key}=${JSON.stringify(value)}`),
  ...["flow.adapter.batch=2", "flow.adapter.optimisation.steps=3", "flow.adapter.optimisation.warmup=0"],
  ...["flow.control.batch=2", "flow.control.optimisation.steps=3", "flow.control.optimisation.warmup=0"],
  // So much that a step shows in the pictures.
  ...["flow.adapter.optimisation.adamw=0.01", "flow.control.optimisation.adamw=0.01"],
];

/** FLUX.1's files and CLIP-H's, tiny and untrained, where `omni-id models` looks for them. */
export function writeTinyPaper(models: string): void {
  const folder = join(models, "flux");
  for (const name of ["tokenizer", "tokenizer_2"]) mkdirSync(join(folder, name), { recursive: true });
  const save = (name: string, seed: number, make: () => { stateDict(): Map<string, Tensor> }) => {
    manualSeed(seed);
    saveSafetensors(
      join(models, name),
      noGrad(() => make().stateDict()),
    );
  };
  const text = { vocabulary: TOKENS, layers: 1, heads: 1 };
  const flux = { generation: 1, inChannels: 8, vectorWidth: VECTOR, contextWidth: CONTEXT, guidance: true } as const;
  save("clip-h.safetensors", 8, () => new ClipVisionModel(CLIP));
  save("flux/flux1-dev.safetensors", 5, () => new Flux({ ...flux, ...FLUX }));
  const { scale, shift } = FLUX_AUTOENCODER;
  save("flux/ae.safetensors", 6, () => new FluxAutoencoder({ ...AUTOENCODER, scale, shift }));
  const t5 = { ...text, width: CONTEXT, headWidth: 8, hidden: 16, heads: 2 };
  save("flux/t5xxl_fp16.safetensors", 7, () => new T5Encoder(t5));
  const clip = { ...text, width: VECTOR, length: 77, mlp: 64, activation: "quick_gelu" } as const;
  save("flux/clip_l.safetensors", 9, () => new ClipTextModel(clip));
  writeFileSync(join(folder, "tokenizer_2", "tokenizer.json"), JSON.stringify(unigram()));
  writeFileSync(join(folder, "tokenizer", "tokenizer.json"), JSON.stringify(wordPieces()));
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

/** T5's kind of tokenizer: a piece a letter, an end mark behind. */
function unigram(): object {
  const letters = [..."▁abcdefghijklmnopqrstuvwxyz."].map((letter) => [letter, -2] as const);
  return {
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
    model: { type: "Unigram", unk_id: 2, vocab: [["<pad>", 0], ["</s>", 0], ["<unk>", 0], ...letters] },
  };
}

/** CLIP's kind of tokenizer without merges: a piece a letter, marks on both sides. */
function wordPieces(): object {
  const letters = [..."abcdefghijklmnopqrstuvwxyz."].flatMap((letter) => [letter, `${letter}</w>`]);
  return {
    version: "1.0",
    added_tokens: [special(100, "<|startoftext|>"), special(101, "<|endoftext|>")],
    normalizer: { type: "Lowercase" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: "[a-z]+|[^\\sa-z]+" }, behavior: "Removed", invert: true },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true },
      ],
    },
    post_processor: {
      type: "RobertaProcessing",
      sep: ["<|endoftext|>", 101],
      cls: ["<|startoftext|>", 100],
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: null,
    model: {
      type: "BPE",
      unk_token: "<|endoftext|>",
      end_of_word_suffix: "</w>",
      vocab: Object.fromEntries([
        ...letters.map((letter, id) => [letter, id]),
        ["<|startoftext|>", 100],
        ["<|endoftext|>", 101],
      ]),
      merges: [],
    },
  };
}
