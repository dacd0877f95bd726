import { noGrad } from "@omni-id/torch";
import type { Prompts } from "../backbones/words.ts";
import { CLIP_TOKENS, T5_TOKENS, Tokenizer } from "../text/tokenizer.ts";
import { loadClipText, loadT5 } from "./encoders.ts";
import { type LoadModelOptions, unload } from "./load.ts";
import { RememberedPrompts } from "./remembered-prompts.ts";

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

  protected read(prompts: readonly string[]): Prompts {
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
    return { txt, y };
  }
}
