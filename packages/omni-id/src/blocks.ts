import { F, nn, scope, type Tensor } from "@omni-id/torch";

/** `[B, N, C] → [B, H, N, C / H]` */
function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, tokens, width] = x.shape;
  return x.view([batch, tokens, heads, width / heads]).transpose(1, 2);
}

/** `[B, H, N, D] → [B, N, H · D]` */
function joinHeads(x: Tensor): Tensor {
  const [batch, heads, tokens, width] = x.shape;
  return x.transpose(1, 2).reshape([batch, tokens, heads * width]);
}

export interface AttentionOptions {
  /** Channels of the queries, and of the result. */
  width: number;
  /** Channels of the tokens that give keys and values; the queries' own when absent (self-attention). */
  context?: number;
  /** Channels of one head. */
  headWidth?: number;
}

/** Multi-head attention: `x [B, N, width]`, `context [B, S, context] → [B, N, width]`. */
export class Attention extends nn.Module {
  readonly heads: number;
  readonly q: nn.Linear;
  readonly kv: nn.Linear;
  readonly out: nn.Linear;

  constructor({ width, context = width, headWidth = 32 }: AttentionOptions) {
    super();
    if (width % headWidth !== 0) throw new RangeError(`attention: width ${width} is not a multiple of ${headWidth}`);
    this.heads = width / headWidth;
    this.q = new nn.Linear({ in: width, out: width });
    this.kv = new nn.Linear({ in: context, out: 2 * width });
    this.out = new nn.Linear({ in: width, out: width });
  }

  forward(x: Tensor, context: Tensor = x): Tensor {
    return scope(() => {
      const [k, v] = this.kv.forward(context).chunk(2, -1);
      const [q, keys, values] = [this.q.forward(x), k, v].map((t) => splitHeads(t, this.heads));
      return this.out.forward(joinHeads(nn.attention(q, keys, values)));
    });
  }

  /** The weights that `forward` uses: softmax(q kᵀ / √d), `[B, H, N, S]` (figure 10). */
  weights(x: Tensor, context: Tensor = x): Tensor {
    return scope(() => {
      const q = splitHeads(this.q.forward(x), this.heads);
      const k = splitHeads(this.kv.forward(context).chunk(2, -1)[0], this.heads);
      const scale = q.shape[3] ** -0.5;
      return q.mul(scale).matmul(k.transpose(-1, -2)).float().softmax(-1);
    });
  }
}

export interface BlockOptions extends AttentionOptions {
  /** Hidden channels of the MLP over its width. */
  mlpRatio?: number;
}

/**
 * Pre-norm transformer block: attention, then MLP, each with a residual. With `context` given it is a
 * cross-attention block that asks `context` (keys, values) with `x` (queries); else self-attention.
 * `x [B, N, width]`, `context [B, S, context] → [B, N, width]`.
 */
export class Block extends nn.Module {
  readonly norm1: nn.LayerNorm;
  readonly norm_context: nn.LayerNorm | undefined;
  readonly attn: Attention;
  readonly norm2: nn.LayerNorm;
  readonly mlp: Mlp;

  constructor({ width, context, headWidth, mlpRatio = 4 }: BlockOptions) {
    super();
    this.norm1 = new nn.LayerNorm({ size: width });
    if (context !== undefined) this.norm_context = new nn.LayerNorm({ size: context });
    this.attn = new Attention({ width, context, headWidth });
    this.norm2 = new nn.LayerNorm({ size: width });
    this.mlp = new Mlp({ width, hidden: width * mlpRatio });
  }

  forward(x: Tensor, context?: Tensor): Tensor {
    return scope(() => {
      const keys = context && this.norm_context ? this.norm_context.forward(context) : undefined;
      const attended = x.add(this.attn.forward(this.norm1.forward(x), keys));
      return attended.add(this.mlp.forward(this.norm2.forward(attended)));
    });
  }
}

/** Two linear layers with a GELU between them: `[…, width] → […, width]`. */
export class Mlp extends nn.Module {
  readonly fc1: nn.Linear;
  readonly fc2: nn.Linear;

  constructor({ width, hidden }: { width: number; hidden: number }) {
    super();
    this.fc1 = new nn.Linear({ in: width, out: hidden });
    this.fc2 = new nn.Linear({ in: hidden, out: width });
  }

  forward(x: Tensor): Tensor {
    return scope(() => this.fc2.forward(F.gelu(this.fc1.forward(x))));
  }
}
