import { type Tensor, tensor } from "@omni-id/torch";
import type { Tokenizer, TokenizerOptions } from "./tokenizer.ts";

/** Qwen3 as FLUX.2 [klein] reads it. */
export const QWEN3_TOKENS: TokenizerOptions = { length: 512, pad: "<|endoftext|>" };

/**
 * A prompt as Qwen3 was trained to read one: a single turn of the user's, and an answer whose thinking is switched off.
 * Nothing of the prompt is trimmed or escaped: special tokens that are written in it count as such.
 */
export function chatFrame(prompt: string): string {
  return `<|im_start|>user\n${prompt}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n`;
}

/** Token ids with what of them is text (1) and what is padding (0), `[B, length]` int64 each. */
export interface MaskedIds {
  ids: Tensor;
  mask: Tensor;
}

/**
 * Framed prompts as ids, padded on the right.
 * @param cut what is longer is cut on the right, its ending frame with it, as upstream does
 * @throws when a prompt is longer and may not be cut
 */
export function framedIds(
  tokenizer: Pick<Tokenizer, "ids" | "length" | "padId">,
  prompts: readonly string[],
  { cut = false }: { cut?: boolean } = {},
): MaskedIds {
  const { length, padId } = tokenizer;
  const rows = prompts.map((prompt) => {
    const ids = tokenizer.ids(chatFrame(prompt));
    if (ids.length > length && !cut) throw tooLong(prompt, ids.length, length);
    return ids.slice(0, length);
  });
  const filled = (row: readonly number[], value: number) => Array<number>(length - row.length).fill(value);
  return {
    ids: tensor(
      rows.map((row) => [...row, ...filled(row, padId)]),
      { dtype: "int64" },
    ),
    mask: tensor(
      rows.map((row) => [...row.map(() => 1), ...filled(row, 0)]),
      { dtype: "int64" },
    ),
  };
}

function tooLong(prompt: string, tokens: number, length: number): Error {
  const start = prompt.length > 40 ? `${prompt.slice(0, 40)}…` : prompt;
  return new Error(
    `the prompt "${start}" has ${tokens} tokens with its frame, and FLUX.2 reads ${length}: leave out about ${tokens - length} tokens`,
  );
}
