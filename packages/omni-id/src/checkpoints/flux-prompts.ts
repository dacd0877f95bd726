import { noGrad, scope } from "@omni-id/torch";
import type { ClipTextModel } from "../backbones/clip-text.ts";
import type { T5Encoder } from "../backbones/t5.ts";
import { CLIP_TOKENS, T5_TOKENS, Tokenizer } from "../text/tokenizer.ts";
import { loadClipText, loadT5 } from "./encoders.ts";
import { type LoadModelOptions, unload } from "./load.ts";
import { type PromptReader, RememberedPrompts } from "./remembered-prompts.ts";

export interface FluxPromptsFiles {
  t5: string;
  t5Tokenizer: string;
  clip: string;
  clipTokenizer: string;
}

/**
 * FLUX.1's prompt encoder: T5's states for the text tokens, CLIP's pooled vector for the modulation. A prompt too long
 * for T5 is an error; CLIP's share of a long one is cut, as FLUX does.
 */
export class FluxPrompts extends RememberedPrompts {
  readonly #files: FluxPromptsFiles;
  readonly #options: LoadModelOptions & { length?: number };

  constructor(files: FluxPromptsFiles, options: LoadModelOptions & { length?: number } = {}) {
    super();
    this.#files = files;
    this.#options = options;
  }

  protected open(): PromptReader {
    const { length = T5_TOKENS.length, ...where } = this.#options;
    const { t5, t5Tokenizer, clip, clipTokenizer } = this.#files;
    const device = where.device ?? "cpu";
    const tokenizers = {
      t5: new Tokenizer(t5Tokenizer, { ...T5_TOKENS, length }),
      clip: new Tokenizer(clipTokenizer, CLIP_TOKENS),
    };
    let networks: readonly [T5Encoder, ClipTextModel] | undefined;
    return {
      read: (prompts, { truncate }) => {
        const words = tokenizers.t5.encode(prompts, { truncate });
        // A prompt that is too long is told before gigabytes are read.
        networks ??= [loadT5(t5, where), loadClipText(clip, where)];
        const [states, pooled] = networks;
        return scope(() =>
          noGrad(() => ({
            txt: states.forward(words.to(device)),
            y: pooled.forward(tokenizers.clip.encode(prompts, { truncate: true }).to(device)),
          })),
        );
      },
      unload: () => {
        for (const network of networks ?? []) unload(network);
      },
    };
  }
}
