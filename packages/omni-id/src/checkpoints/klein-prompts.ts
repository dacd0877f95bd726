import { noGrad, scope } from "@omni-id/torch";
import type { Qwen3 } from "../backbones/qwen3.ts";
import { framedIds, QWEN3_TOKENS } from "../text/chat-frame.ts";
import { Tokenizer } from "../text/tokenizer.ts";
import { loadQwen3 } from "./flux2.ts";
import { type LoadModelOptions, unload } from "./load.ts";
import { type PromptReader, RememberedPrompts } from "./remembered-prompts.ts";

export interface KleinPromptsFiles {
  qwen3: string;
  tokenizer: string;
}

export interface KleinPromptsOptions extends LoadModelOptions {
  /** Tokens of every prompt, frame and padding included; all of them take part in FLUX.2. */
  length?: number;
  /** Channels of a text token that the FLUX.2 at hand takes. */
  contextWidth: number;
  /** Qwen3's layers whose states are read; those of the 4B when absent. */
  outputs?: readonly number[];
}

/** FLUX.2 [klein]'s prompt encoder: the states of three layers of Qwen3, side by side. There is no pooled vector. */
export class KleinPrompts extends RememberedPrompts {
  readonly #files: KleinPromptsFiles;
  readonly #options: KleinPromptsOptions;

  constructor(files: KleinPromptsFiles, options: KleinPromptsOptions) {
    super();
    this.#files = files;
    this.#options = options;
  }

  protected open(): PromptReader {
    const { length = QWEN3_TOKENS.length, contextWidth, ...where } = this.#options;
    const tokenizer = new Tokenizer(this.#files.tokenizer, { ...QWEN3_TOKENS, length });
    const device = where.device ?? "cpu";
    let qwen: Qwen3 | undefined;
    return {
      read: (prompts, { truncate }) => {
        const { ids, mask } = framedIds(tokenizer, prompts, { cut: truncate });
        qwen ??= loadQwen3(this.#files.qwen3, where);
        const network = qwen;
        const txt = scope(() => noGrad(() => network.forward(ids.to(device), mask.to(device))));
        if (txt.shape[2] === contextWidth) return { txt };
        throw new Error(
          `${this.#files.qwen3}: it gives text tokens of ${txt.shape[2]} channels, and this FLUX.2 takes ${contextWidth}: take the Qwen3 of its size, Qwen3-4B for [klein] 4B`,
        );
      },
      unload: () => qwen && unload(qwen),
    };
  }
}
