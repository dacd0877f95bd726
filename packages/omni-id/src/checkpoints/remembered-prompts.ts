import { cat, nn, scope, type Tensor } from "@omni-id/torch";
import type { PromptEncoder, Prompts } from "../backbones/words.ts";

/** Networks that read prompts, and what gives their memory back. */
export interface PromptReader {
  /** Prompts to `[B, …]`. @param truncate cut what is too long @throws when something is too long and may not be cut */
  read(prompts: readonly string[], options: { truncate: boolean }): Prompts;
  unload(): void;
}

/**
 * Prompt encoders whose networks are too large to stand beside a FLUX: they are loaded when a prompt is new and
 * released again once it is encoded; what was encoded is kept. Captions of a training are too many for that: the
 * networks stay, and nothing is kept.
 */
export abstract class RememberedPrompts extends nn.Module implements PromptEncoder {
  captions = false;
  readonly #known = new Map<string, Prompts>();
  #reader: PromptReader | undefined;

  /** Loads the networks. */
  protected abstract open(): PromptReader;

  /** @throws when a prompt is too long for its text encoder, and is no caption */
  encode(prompts: readonly string[]): Prompts {
    if (this.captions) {
      this.#reader ??= this.open();
      return this.#reader.read(prompts, { truncate: true });
    }
    const unknown = [...new Set(prompts)].filter((prompt) => !this.#known.has(prompt));
    if (unknown.length > 0) this.#remember(unknown);
    const each = prompts.map((prompt) => this.#known.get(prompt) as Prompts);
    const vectors = each.flatMap(({ y }) => (y ? [y] : []));
    return scope(() => ({
      txt: cat(each.map(({ txt }) => txt)),
      y: vectors.length > 0 ? cat(vectors) : undefined,
    }));
  }

  #remember(prompts: readonly string[]): void {
    const reader = this.open();
    try {
      scope(() => {
        const { txt, y } = reader.read(prompts, { truncate: false });
        for (const [i, prompt] of prompts.entries()) {
          const row = (all: Tensor) => all.narrow(0, i, 1).keep();
          this.#known.set(prompt, { txt: row(txt), y: y && row(y) });
        }
      });
    } finally {
      reader.unload();
    }
  }
}
