import { cat, nn, noGrad, scope } from "@omni-id/torch";
import type { PromptEncoder, Prompts } from "../backbones/words.ts";
import { CLIP_TOKENS, T5_TOKENS, Tokenizer } from "../text/tokenizer.ts";
import { loadClipText, loadT5 } from "./encoders.ts";
import { type LoadModelOptions, unload } from "./load.ts";

export interface FluxPromptsFiles {
  t5: string;
  t5Tokenizer: string;
  clip: string;
  clipTokenizer: string;
}

/**
 * FLUX's prompt encoder: T5's states for the text tokens, CLIP's pooled vector for the modulation. Both networks are
 * loaded when a prompt is new and released again once it is encoded, so that T5's 9.5 GB do not stand beside FLUX;
 * what was encoded is kept.
 */
export class FluxPrompts extends nn.Module implements PromptEncoder {
  readonly #files: FluxPromptsFiles;
  readonly #options: LoadModelOptions & { length?: number };
  readonly #known = new Map<string, Prompts>();

  constructor(files: FluxPromptsFiles, options: LoadModelOptions & { length?: number } = {}) {
    super();
    this.#files = files;
    this.#options = options;
  }

  /** @throws when T5's context is too short for a prompt; CLIP's share of a long one is cut, as FLUX does */
  encode(prompts: readonly string[]): Prompts {
    const unknown = [...new Set(prompts)].filter((prompt) => !this.#known.has(prompt));
    if (unknown.length > 0) this.#read(unknown);
    const each = prompts.map((prompt) => this.#known.get(prompt) as Prompts);
    const joined = (pick: (one: Prompts) => Prompts["txt"]) => scope(() => cat(each.map(pick)));
    return { txt: joined(({ txt }) => txt), y: joined(({ y }) => y) };
  }

  #read(prompts: readonly string[]): void {
    const { length = T5_TOKENS.length, ...where } = this.#options;
    const { t5, t5Tokenizer, clip, clipTokenizer } = this.#files;
    const device = where.device ?? "cpu";
    const ids = {
      t5: new Tokenizer(t5Tokenizer, { ...T5_TOKENS, length }).encode(prompts).to(device),
      clip: new Tokenizer(clipTokenizer, CLIP_TOKENS).encode(prompts, { truncate: true }).to(device),
    };
    const networks = [loadT5(t5, where), loadClipText(clip, where)] as const;
    const [txt, y] = noGrad(() => [networks[0].forward(ids.t5).keep(), networks[1].forward(ids.clip).keep()]);
    for (const network of networks) unload(network);
    for (const [i, prompt] of prompts.entries()) {
      const row = scope(() => ({ txt: txt.narrow(0, i, 1), y: y.narrow(0, i, 1) }));
      this.#known.set(prompt, { txt: row.txt.keep(), y: row.y.keep() });
    }
  }
}
