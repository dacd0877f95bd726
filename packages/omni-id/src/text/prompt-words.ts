/** Words that tell nothing about a picture. */
const STOP = new Set(["a", "an", "the", "of", "with", "and", "to", "in", "on", "is"]);
/** The number of an empty place. */
export const PADDING = 0;
const UNKNOWN = 1;
/** Places before the first word of the vocabulary: padding, unknown. */
export const SPECIAL = 2;

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

/** The words that a model knows, by number. */
export class Vocabulary {
  /** T, words of a prompt. */
  readonly length: number;
  readonly #numbers: ReadonlyMap<string, number>;

  constructor(words: readonly string[], length: number) {
    this.length = length;
    this.#numbers = new Map(words.map((word, place) => [word, place + SPECIAL]));
  }

  get words(): string[] {
    return [...this.#numbers.keys()];
  }

  /** Words of a prompt that are missing here: the model cannot mean anything by them. */
  unknown(prompt: string): string[] {
    return wordsOf(prompt).filter((word) => !this.#numbers.has(word));
  }

  /** A prompt as `length` numbers. @throws when it has more words than that and may not be cut */
  row(prompt: string, { truncate = false }: { truncate?: boolean } = {}): number[] {
    const words = wordsOf(prompt);
    if (words.length > this.length && !truncate) {
      throw new Error(`the prompt has ${words.length} words that count, the model takes ${this.length}: shorten it`);
    }
    const numbers = words.slice(0, this.length).map((word) => this.#numbers.get(word) ?? UNKNOWN);
    return [...numbers, ...Array<number>(this.length - numbers.length).fill(PADDING)];
  }
}
