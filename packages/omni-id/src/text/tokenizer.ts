import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { type Tensor, tensor } from "@omni-id/torch";

export interface TokenizerOptions {
  /** Tokens of every encoded text, marks and padding included. */
  length: number;
  /** The token that fills up a short text. */
  pad: string;
}

/** T5 as FLUX.1-dev reads it (schnell: 256 tokens). */
export const T5_TOKENS: TokenizerOptions = { length: 512, pad: "<pad>" };
/** CLIP-L as FLUX reads it. */
export const CLIP_TOKENS: TokenizerOptions = { length: 77, pad: "<|endoftext|>" };

/** Texts to the ids that a text encoder was trained with, from its `tokenizer.json`. */
export class Tokenizer {
  readonly length: number;
  readonly #path: string;
  /** What fills up a short text. */
  readonly padId: number;
  readonly #tokenizer: HuggingFaceTokenizer;

  /**
   * @param path a `tokenizer.json`, or the folder that it lies in
   * @throws one line when there is none, or it is of a kind that cannot be read
   */
  constructor(path: string, { length, pad }: TokenizerOptions) {
    const file = existsSync(path) && statSync(path).isDirectory() ? join(path, "tokenizer.json") : path;
    this.#path = file;
    this.length = length;
    const config = join(dirname(file), "tokenizer_config.json");
    try {
      this.#tokenizer = new HuggingFaceTokenizer(readable(readJson(file)), existsSync(config) ? readJson(config) : {});
    } catch (error) {
      throw new Error(
        `${file}: no readable tokenizer (${(error as Error).message}); \`omni-id models\` says which is wanted`,
      );
    }
    const id = this.#tokenizer.token_to_id(pad);
    if (id === undefined)
      throw new Error(`${file}: it has no token "${pad}" to pad with; it is another model's tokenizer`);
    this.padId = id;
  }

  /** Size of the vocabulary: ids are below it. */
  get vocabulary(): number {
    return Math.max(...this.#tokenizer.get_vocab(true).values()) + 1;
  }

  /** The ids of a text with its begin and end marks, not padded: as many as it has. */
  ids(text: string): number[] {
    return this.#tokenizer.encode(text).ids;
  }

  /**
   * Texts to ids `[B, length]` int64.
   * @param truncate cut a longer text, its end mark kept; what FLUX does with CLIP's share of a long prompt
   * @throws when a text is longer and may not be cut
   */
  encode(texts: readonly string[], { truncate = false }: { truncate?: boolean } = {}): Tensor {
    const rows = texts.map((text) => {
      const ids = this.ids(text);
      if (ids.length > this.length && !truncate) throw this.#tooLong(text, ids.length);
      const kept = ids.length > this.length ? [...ids.slice(0, this.length - 1), ids[ids.length - 1]] : ids;
      return [...kept, ...Array<number>(this.length - kept.length).fill(this.padId)];
    });
    return tensor(rows, { dtype: "int64" });
  }

  #tooLong(text: string, tokens: number): Error {
    const start = text.length > 40 ? `${text.slice(0, 40)}…` : text;
    return new Error(
      `the prompt "${start}" has ${tokens} tokens, and the text encoder (${this.#path}) reads ${this.length}: leave out about ${tokens - this.length} tokens`,
    );
  }
}

interface TokenizerJson {
  model?: { type?: string; vocab?: unknown; unk_token?: string };
}

function readJson(file: string): TokenizerJson {
  if (!existsSync(file)) throw new Error("no such file");
  return JSON.parse(readFileSync(file, "utf8")) as TokenizerJson;
}

const KINDS = ["Unigram", "BPE", "WordPiece", "WordLevel"];

/**
 * The library knows no WordLevel model, but a WordPiece without pieces is one: a word is in the vocabulary as a
 * whole, or unknown.
 */
function readable(json: TokenizerJson): TokenizerJson {
  const { model } = json;
  if (!model?.type) throw new Error('it has no "model"');
  if (!KINDS.includes(model.type)) throw new Error(`its model is ${model.type}, not one of ${KINDS.join(", ")}`);
  if (model.type !== "WordLevel") return json;
  const whole = { type: "WordPiece", continuing_subword_prefix: "\0", max_input_chars_per_word: 1 << 20 };
  return { ...json, model: { ...model, ...whole } };
}
