import { F, nn, scope, type Tensor } from "@omni-id/torch";

/** `[B, N, C] → [B, H, N, C / H]` */
function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, tokens, width] = x.shape;
  return x.view([batch, tokens, heads, width / heads]).transpose(1, 2);
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
  /** Self-attention: queries, keys and values in one projection. */
  readonly qkv: nn.Linear | undefined;
  /** Cross-attention: queries apart from keys and values. */
  readonly q: nn.Linear | undefined;
  readonly kv: nn.Linear | undefined;
  readonly out: nn.Linear;

  constructor({ width, context, headWidth = 32 }: AttentionOptions) {
    super();
    if (width % headWidth !== 0) throw new RangeError(`attention: width ${width} is not a multiple of ${headWidth}`);
    this.heads = width / headWidth;
    if (context === undefined) this.qkv = new nn.Linear({ in: width, out: 3 * width });
    else {
      this.q = new nn.Linear({ in: width, out: width });
      this.kv = new nn.Linear({ in: context, out: 2 * width });
    }
    this.out = new nn.Linear({ in: width, out: width });
  }

  forward(x: Tensor, context?: Tensor): Tensor {
    return scope(() => {
      if (this.qkv) return this.out.forward(F.attentionPackedQkv(this.qkv.forward(x), this.heads));
      const { q, kv } = this.#crossProjections(x, context);
      return this.out.forward(F.attentionPackedKv(q, kv, this.heads));
    });
  }

  /** The weights that a cross-attention `forward` uses: softmax(q kᵀ / √d), `[B, H, N, S]` (figure 10). */
  weights(x: Tensor, context: Tensor): Tensor {
    return scope(() => {
      const { q, kv } = this.#crossProjections(x, context);
      const [queries, keys] = [q, kv.chunk(2, -1)[0]].map((t) => splitHeads(t, this.heads));
      const scale = queries.shape[3] ** -0.5;
      return queries.mul(scale).matmul(keys.transpose(-1, -2)).float().softmax(-1);
    });
  }

  #crossProjections(x: Tensor, context: Tensor | undefined): { q: Tensor; kv: Tensor } {
    if (!this.q || !this.kv || !context)
      throw new Error("attention: this layer is self-attention, or its context is missing");
    return { q: this.q.forward(x), kv: this.kv.forward(context) };
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

  /** What a cross-attention block's queries look at: `[B, heads, N, S]`, each row of length 1 in sum (figure 10). */
  attention(x: Tensor, context: Tensor): Tensor {
    return scope(() => this.attn.weights(this.norm1.forward(x), this.norm_context?.forward(context) ?? context));
  }

  forward(x: Tensor, context?: Tensor): Tensor {
    return scope(() => {
      const keys = context && this.norm_context ? this.norm_context.forward(context) : undefined;
      const answer = this.attn.forward(this.norm1.forward(x), keys);
      const { weight, bias, eps } = this.norm2;
      const [attended, normed] = F.addLayerNorm(x, answer, weight, bias, { eps });
      return attended.add(this.mlp.forward(normed));
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
    return scope(() => this.fc2.forward(F.biasGelu(F.linear(x, this.fc1.weight), this.fc1.bias as Tensor)));
  }
}
