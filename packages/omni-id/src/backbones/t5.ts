import { arange, F, nn, scope, type Tensor, where } from "@omni-id/torch";
import { repeat } from "../repeat.ts";

export interface T5Options {
  vocabulary: number;
  width: number;
  heads: number;
  /** Channels of a head; heads · headWidth need not be `width`. */
  headWidth: number;
  /** Hidden channels of the feed-forward layers. */
  hidden: number;
  layers: number;
  /** Kinds of distance between two tokens that are told apart, both directions together. */
  buckets?: number;
  /** From this distance on all are the same. */
  maxDistance?: number;
}

/** T5 v1.1-XXL's encoder (google/t5-v1_1-xxl), FLUX's text tokens: 4,762,310,656 parameters. */
export const T5_XXL: T5Options = {
  vocabulary: 32_128,
  width: 4096,
  heads: 64,
  headWidth: 64,
  hidden: 10_240,
  layers: 24,
};

/**
 * The bucket of every pair of positions, `[N, N]` int64: half of the buckets for each direction, of these half for
 * one distance each and the rest in logarithmic steps. In float32, as upstream: at a border a digit decides.
 */
export function relativeBuckets(
  tokens: number,
  { buckets, maxDistance, device }: { buckets: number; maxDistance: number; device?: string },
): Tensor {
  return scope(() => {
    const position = arange(tokens, { device });
    const offset = position.unsqueeze(0).sub(position.unsqueeze(1));
    const distance = offset.abs();
    const [side, exact] = [Math.floor(buckets / 2), Math.floor(buckets / 4)];
    const logarithmic = distance
      .clamp(1)
      .float()
      .div(exact)
      .log()
      .div(Math.log(maxDistance / exact))
      .mul(side - exact)
      .long()
      .add(exact)
      .clamp(0, side - 1);
    return where(distance.lt(exact), distance, logarithmic).add(offset.gt(0).long().mul(side));
  });
}

class SelfAttention extends nn.Module {
  readonly q: nn.Linear;
  readonly k: nn.Linear;
  readonly v: nn.Linear;
  readonly o: nn.Linear;
  /** In block 0 only; all blocks use it. */
  readonly relative_attention_bias: nn.Embedding | undefined;
  readonly #heads: number;

  constructor({ width, heads, headWidth }: T5Options, buckets?: number) {
    super();
    const inner = heads * headWidth;
    this.#heads = heads;
    this.q = new nn.Linear({ in: width, out: inner, bias: false });
    this.k = new nn.Linear({ in: width, out: inner, bias: false });
    this.v = new nn.Linear({ in: width, out: inner, bias: false });
    this.o = new nn.Linear({ in: inner, out: width, bias: false });
    if (buckets !== undefined) this.relative_attention_bias = new nn.Embedding({ num: buckets, dim: heads });
  }

  /** Scores are not divided by √d: `x [B, N, W]`, `bias [H, N, N] → [B, N, W]`. */
  forward(x: Tensor, bias: Tensor): Tensor {
    return scope(() => {
      const [q, k, v] = [this.q, this.k, this.v].map((layer) =>
        layer.forward(x).unflatten(-1, [this.#heads, -1]).transpose(1, 2),
      );
      return this.o.forward(nn.attention(q, k, v, { mask: bias, scale: 1 }).transpose(1, 2).flatten(2));
    });
  }
}

/** Linear layers of one GELU-gated feed-forward. */
class DenseReluDense extends nn.Module {
  readonly wi_0: nn.Linear;
  readonly wi_1: nn.Linear;
  readonly wo: nn.Linear;

  constructor({ width, hidden }: T5Options) {
    super();
    this.wi_0 = new nn.Linear({ in: width, out: hidden, bias: false });
    this.wi_1 = new nn.Linear({ in: width, out: hidden, bias: false });
    this.wo = new nn.Linear({ in: hidden, out: width, bias: false });
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const gate = F.gelu(this.wi_0.forward(x), { approximate: "tanh" });
      return this.wo.forward(gate.mul(this.wi_1.forward(x)));
    });
  }
}

class AttentionLayer extends nn.Module {
  readonly SelfAttention: SelfAttention;
  readonly layer_norm: nn.RMSNorm;

  constructor(options: T5Options, buckets?: number) {
    super();
    this.SelfAttention = new SelfAttention(options, buckets);
    this.layer_norm = new nn.RMSNorm({ size: options.width });
  }

  forward(x: Tensor, bias: Tensor): Tensor {
    return scope(() => x.add(this.SelfAttention.forward(this.layer_norm.forward(x), bias)));
  }
}

class FeedForwardLayer extends nn.Module {
  readonly DenseReluDense: DenseReluDense;
  readonly layer_norm: nn.RMSNorm;

  constructor(options: T5Options) {
    super();
    this.DenseReluDense = new DenseReluDense(options);
    this.layer_norm = new nn.RMSNorm({ size: options.width });
  }

  forward(x: Tensor): Tensor {
    return scope(() => x.add(this.DenseReluDense.forward(this.layer_norm.forward(x))));
  }
}

class Block extends nn.Module {
  readonly layer: readonly [AttentionLayer, FeedForwardLayer];

  constructor(options: T5Options, buckets?: number) {
    super();
    this.layer = [new AttentionLayer(options, buckets), new FeedForwardLayer(options)];
  }

  forward(x: Tensor, bias: Tensor): Tensor {
    return scope(() => this.layer[1].forward(this.layer[0].forward(x, bias)));
  }
}

class Stack extends nn.Module {
  readonly block: Block[];
  readonly final_layer_norm: nn.RMSNorm;

  constructor(options: T5Options, buckets: number) {
    super();
    this.block = repeat(options.layers, (i) => new Block(options, i === 0 ? buckets : undefined));
    this.final_layer_norm = new nn.RMSNorm({ size: options.width });
  }
}

/** T5 v1.1's encoder, by the keys of Hugging Face's `T5EncoderModel`. Padding is read like text, as FLUX does. */
export class T5Encoder extends nn.Module {
  readonly shared: nn.Embedding;
  readonly encoder: Stack;
  readonly #buckets: number;
  readonly #maxDistance: number;

  constructor(options: T5Options) {
    super();
    this.#buckets = options.buckets ?? 32;
    this.#maxDistance = options.maxDistance ?? 128;
    this.shared = new nn.Embedding({ num: options.vocabulary, dim: options.width });
    this.encoder = new Stack(options, this.#buckets);
  }

  /** Token ids `[B, N]` int64 → states `[B, N, W]`. */
  forward(ids: Tensor): Tensor {
    return scope(() => {
      const bias = this.#positionBias(ids);
      const states = this.encoder.block.reduce((x, block) => block.forward(x, bias), this.shared.forward(ids));
      return this.encoder.final_layer_norm.forward(states);
    });
  }

  /** `[H, N, N]` */
  #positionBias({ shape, device }: Tensor): Tensor {
    const table = this.encoder.block[0].layer[0].SelfAttention.relative_attention_bias as nn.Embedding;
    const buckets = relativeBuckets(shape[1], { buckets: this.#buckets, maxDistance: this.#maxDistance, device });
    return table.forward(buckets).permute([2, 0, 1]);
  }
}
