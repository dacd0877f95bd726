import { embedding, nn, randn, scope, type Tensor, tensor } from "@omni-id/torch";

/** What a flow model is told in words, as FLUX takes it. */
export interface Prompts {
  /** Tokens of each prompt, `[B, T, context]`. */
  txt: Tensor;
  /** One vector for the whole prompt, `[B, vector]`; FLUX.2 takes none. */
  y?: Tensor;
}

/** Turns prompts into what a flow model takes: T5 and CLIP in the paper preset, single words in the nano one. */
export interface PromptEncoder extends nn.Module {
  encode(prompts: readonly string[]): Prompts;
}

/** Words that tell nothing about a picture. */
const STOP = new Set(["a", "an", "the", "of", "with", "and", "to", "in", "on", "is"]);
const PADDING = 0;
const UNKNOWN = 1;
/** Places before the first word of the vocabulary: padding, unknown. */
const SPECIAL = 2;

/** The words of a prompt that count. */
export function wordsOf(prompt: string): string[] {
  return (prompt.toLowerCase().match(/[\p{L}\p{N}-]+/gu) ?? []).filter((word) => !STOP.has(word));
}

/** Every word that counts in some prompts, the most frequent first; ties in the order of the alphabet. */
export function vocabularyOf(prompts: Iterable<string>, most: number): string[] {
  const counts = new Map<string, number>();
  for (const prompt of prompts) for (const word of wordsOf(prompt)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const order = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return order.slice(0, most).map(([word]) => word);
}

export interface WordEncoderOptions {
  /** Words it can know; more than the vocabulary needs is allowed. */
  vocabulary: number;
  /** T, words of a prompt; what is longer is an error. */
  length: number;
  context: number;
  /** Channels of the pooled vector; 0: there is none. */
  vector: number;
}

/**
 * The nano preset's prompt encoder: one learned vector a word, trained with the base. Its flow model mixes the words
 * by itself, in the blocks where text and picture attend to each other.
 */
export class WordEncoder extends nn.Module implements PromptEncoder {
  readonly words: nn.Embedding;
  readonly pooled: nn.Linear | undefined;
  readonly length: number;
  #numbers = new Map<string, number>();

  constructor({ vocabulary, length, context, vector }: WordEncoderOptions) {
    super();
    this.length = length;
    this.words = new nn.Embedding({ num: vocabulary + SPECIAL, dim: context });
    scope(() => this.words.weight.detach().copy_(randn([vocabulary + SPECIAL, context]).mul(0.5)));
    if (vector > 0) this.pooled = new nn.Linear({ in: context, out: vector });
  }

  get vocabulary(): string[] {
    return [...this.#numbers.keys()];
  }
  set vocabulary(words: readonly string[]) {
    const most = this.words.weight.shape[0] - SPECIAL;
    if (words.length > most) throw new RangeError(`${words.length} words do not fit into a vocabulary of ${most}`);
    this.#numbers = new Map(words.map((word, place) => [word, place + SPECIAL]));
  }

  /** Words of a prompt that the vocabulary lacks: the model cannot mean anything by them. */
  unknown(prompt: string): string[] {
    return wordsOf(prompt).filter((word) => !this.#numbers.has(word));
  }

  /** @throws when a prompt has more words than the context holds */
  encode(prompts: readonly string[]): Prompts {
    const rows = prompts.flatMap((prompt) => this.#row(prompt));
    return scope(() => {
      const numbers = tensor(rows, { shape: [prompts.length, this.length], dtype: "int64" });
      const txt = embedding(numbers, this.words.weight);
      if (!this.pooled) return { txt };
      const there = numbers.ne(PADDING).float().unsqueeze(-1);
      const mean = txt
        .mul(there)
        .sum([1])
        .div(there.sum([1]).clampMin(1));
      return { txt, y: this.pooled.forward(mean) };
    });
  }

  #row(prompt: string): number[] {
    const words = wordsOf(prompt);
    if (words.length > this.length) {
      throw new Error(`the prompt has ${words.length} words that count, the model takes ${this.length}: shorten it`);
    }
    const numbers = words.map((word) => this.#numbers.get(word) ?? UNKNOWN);
    return [...numbers, ...Array<number>(this.length - numbers.length).fill(PADDING)];
  }
}
