import { embedding, nn, randn, scope, type Tensor, tensor } from "@omni-id/torch";
import { PADDING, SPECIAL, Vocabulary } from "../text/prompt-words.ts";

/** What a flow model is told in words, as FLUX takes it. */
export interface Prompts {
  /** Tokens of each prompt, `[B, T, context]`. */
  txt: Tensor;
  /** One vector for the whole prompt, `[B, vector]`; FLUX.2 takes none. */
  y?: Tensor;
}

/** Turns prompts into what a flow model takes: T5 and CLIP in the paper preset, single words in the nano one. */
export interface PromptEncoder extends nn.Module {
  /**
   * Whether it reads captions of training pictures, other ones in every step: what is too long is then cut instead of ending
   * the run, and large networks stay loaded.
   */
  captions: boolean;
  encode(prompts: readonly string[]): Prompts;
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

/** A prompt encoder that is trained with its flow model and knows the words of a list. */
export abstract class VocabularyEncoder extends nn.Module implements PromptEncoder {
  /** A vector a word, behind those of {@link SPECIAL}. */
  abstract readonly words: nn.Embedding;
  captions = false;
  #vocabulary: Vocabulary;

  constructor(length: number) {
    super();
    this.#vocabulary = new Vocabulary([], length);
  }

  get length(): number {
    return this.#vocabulary.length;
  }

  get vocabulary(): string[] {
    return this.#vocabulary.words;
  }
  set vocabulary(words: readonly string[]) {
    const most = this.words.weight.shape[0] - SPECIAL;
    if (words.length > most) throw new RangeError(`${words.length} words do not fit into a vocabulary of ${most}`);
    this.#vocabulary = new Vocabulary(words, this.length);
  }

  /** Words of a prompt that the vocabulary lacks: the model cannot mean anything by them. */
  unknown(prompt: string): string[] {
    return this.#vocabulary.unknown(prompt);
  }

  /** @throws when a prompt has more words than the context holds, and is no caption */
  encode(prompts: readonly string[]): Prompts {
    const rows = prompts.flatMap((prompt) => this.#vocabulary.row(prompt, { truncate: this.captions }));
    return scope(() => this.fromNumbers(tensor(rows, { shape: [prompts.length, this.length], dtype: "int64" })));
  }

  /** Prompts as numbers of words, `[B, T]` int64. */
  abstract fromNumbers(numbers: Tensor): Prompts;
}

/** Words of a prompt that an encoder does not know; none where it knows any. */
export function unknownWords(prompts: PromptEncoder, prompt: string): string[] {
  return prompts instanceof VocabularyEncoder ? prompts.unknown(prompt) : [];
}

/** The mean of the places of `[B, T, C]` where there is a word, `[B, C]`; zero for an empty prompt. */
export function meanOfWords(states: Tensor, numbers: Tensor): Tensor {
  const there = numbers.ne(PADDING).float().unsqueeze(-1);
  return states
    .mul(there)
    .sum([1])
    .div(there.sum([1]).clampMin(1));
}

/**
 * The nano preset's prompt encoder: one learned vector a word, trained with the base. Its flow model mixes the words
 * by itself, in the blocks where text and picture attend to each other.
 */
export class WordEncoder extends VocabularyEncoder {
  readonly words: nn.Embedding;
  readonly pooled: nn.Linear | undefined;

  constructor({ vocabulary, length, context, vector }: WordEncoderOptions) {
    super(length);
    this.words = new nn.Embedding({ num: vocabulary + SPECIAL, dim: context });
    scope(() => this.words.weight.detach().copy_(randn([vocabulary + SPECIAL, context]).mul(0.5)));
    if (vector > 0) this.pooled = new nn.Linear({ in: context, out: vector });
  }

  fromNumbers(numbers: Tensor): Prompts {
    return scope(() => {
      const txt = embedding(numbers, this.words.weight);
      return this.pooled ? { txt, y: this.pooled.forward(meanOfWords(txt, numbers)) } : { txt };
    });
  }
}
