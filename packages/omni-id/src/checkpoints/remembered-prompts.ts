import { cat, nn, scope, type Tensor } from "@omni-id/torch";
import type { PromptEncoder, Prompts } from "../backbones/words.ts";

/**
 * Prompt encoders whose networks are too large to stand beside a FLUX: they are loaded when a prompt is new and
 * released again once it is encoded; what was encoded is kept.
 */
export abstract class RememberedPrompts extends nn.Module implements PromptEncoder {
  readonly #known = new Map<string, Prompts>();

  /** Loads the networks, encodes prompts, `[B, …]`, and releases the networks. */
  protected abstract read(prompts: readonly string[]): Prompts;

  /** @throws when a prompt is too long for its text encoder */
  encode(prompts: readonly string[]): Prompts {
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
    const { txt, y } = this.read(prompts);
    for (const [i, prompt] of prompts.entries()) {
      const row = (all: Tensor | undefined) => all && scope(() => all.narrow(0, i, 1)).keep();
      this.#known.set(prompt, { txt: row(txt) as Tensor, y: row(y) });
    }
  }
}
