import { scope, type Tensor, tensor } from "@omni-id/torch";
import { patchify } from "./patches.ts";

/** Which tokens of each target are decoded, and which of these the decoder is shown. */
export interface TargetTokens {
  /** Places in the target's token grid, `[B, K]` int64. */
  index: Tensor;
  /** Shown (true) or hidden (false), `[B, K]` bool. */
  visible: Tensor;
}

/** Chosen places and what is shown of them, one row a target. */
export function toTargetTokens(chosen: readonly { index: number[]; visible: boolean[] }[]): TargetTokens {
  const shape = [chosen.length, chosen[0].index.length];
  return {
    index: tensor(BigInt64Array.from(chosen.flatMap(({ index }) => index.map(BigInt))), { shape }),
    visible: tensor(Uint8Array.from(chosen.flatMap(({ visible }) => visible.map(Number))), { shape }).to("bool"),
  };
}

/** For each image and token of its grid: 1 where the token touches the mask `[rows, S, S]`. */
export function faceTokens(masks: Tensor, patchSize: number): Uint8Array {
  return scope(() => {
    const touched = patchify(masks.unsqueeze(1), patchSize).amax([2]);
    return Uint8Array.from(touched.toTypedArray() as Uint8Array);
  });
}
