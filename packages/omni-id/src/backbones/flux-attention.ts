import { F, nn, ones, scope, type Tensor } from "@omni-id/torch";

/** The learnt factors of an RMSNorm, by upstream's key `scale`; {@link QKNorm} applies them. */
class RMSScale extends nn.Module {
  readonly scale: Tensor;

  constructor(channels: number) {
    super();
    this.scale = scope(() => nn.parameter(ones([channels])));
  }
}

const EPS = 1e-6;

/** RMSNorm of queries and keys, head by head, before they meet (QKNorm of flux/modules/layers.py). */
export class QKNorm extends nn.Module {
  readonly query_norm: RMSScale;
  readonly key_norm: RMSScale;

  constructor(headWidth: number) {
    super();
    this.query_norm = new RMSScale(headWidth);
    this.key_norm = new RMSScale(headWidth);
  }

  /** Queries of a packed projection `[B, S, 3W]`, normed and not turned: `[B, S, H, D]` float32. */
  queries(qkv: Tensor, heads: number): Tensor {
    return scope(() => {
      const { scale } = this.query_norm;
      const width = qkv.shape[2] / 3;
      const queries = qkv.narrow(-1, 0, width).unflatten(-1, [heads, -1]).float();
      return F.rmsNorm(queries, [width / heads], scale, { eps: EPS });
    });
  }

  /** A packed projection `[B, S, 3W]` with its queries and keys normed and turned by `rope`, as `ropeTable` makes it. */
  forward(qkv: Tensor, heads: number, rope: Tensor): Tensor {
    const [queryScale, keyScale] = [this.query_norm.scale, this.key_norm.scale];
    return F.qkNormRope(qkv, { heads, queryScale, keyScale, turns: rope, eps: EPS });
  }
}

/** Attention of a packed projection: `[B, S, 3W] → [B, S, W]`. */
export function packedAttention(qkv: Tensor, heads: number): Tensor {
  if (qkv.device === "cpu") return F.attentionPackedQkv(qkv, heads);
  return scope(() => {
    const [q, k, v] = qkv.unflatten(-1, [3, heads, -1]).permute([2, 0, 3, 1, 4]).unbind();
    return nn.attention(q, k, v).transpose(1, 2).flatten(2);
  });
}

/** Linear layers around an attention, by upstream's keys; the blocks call them. */
export class SelfAttention extends nn.Module {
  readonly qkv: nn.Linear;
  readonly norm: QKNorm;
  readonly proj: nn.Linear;

  constructor({ width, heads, qkvBias, bias }: { width: number; heads: number; qkvBias: boolean; bias: boolean }) {
    super();
    this.qkv = new nn.Linear({ in: width, out: 3 * width, bias: qkvBias });
    this.norm = new QKNorm(width / heads);
    this.proj = new nn.Linear({ in: width, out: width, bias });
  }
}
