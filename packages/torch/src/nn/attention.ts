import * as F from "../functional.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";

export interface AttentionOptions {
  /** Boolean (true: may be seen) or additive, broadcast to `[B, H, N, M]`. */
  mask?: Tensor | null;
  /** 1/√D when left out. */
  scale?: number;
}

/**
 * softmax(q kᵀ · scale + mask) v: q `[B, H, N, D]`, k and v `[B, H, M, D]` → `[B, H, N, D]`.
 *
 * On the CPU, three products beat the fused operator while the scores are small (its bfloat16 backward is 3–5 times
 * slower at 64–100 tokens), so it is taken for long sequences and on other devices only.
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, { mask, scale }: AttentionOptions = {}): Tensor {
  const scores = q.shape[2] * k.shape[2];
  if (q.device !== "cpu" || scores > 512 * 512) return F.scaledDotProductAttention(q, k, v, { mask, scale });
  return scope(() => {
    const factor = scale ?? q.shape[3] ** -0.5;
    let weights = q.mul(factor).matmul(k.transpose(-1, -2));
    if (mask) {
      weights =
        mask.dtype === "bool" ? weights.maskedFill(mask.logicalNot(), Number.NEGATIVE_INFINITY) : weights.add(mask);
    }
    return weights.softmax(-1).to(v.dtype).matmul(v);
  });
}
