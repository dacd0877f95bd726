import { arange, cat, F, nn, ones, scope, type Tensor } from "@omni-id/torch";
import { repeat } from "../repeat.ts";

export interface Qwen3Options {
  vocabulary: number;
  width: number;
  layers: number;
  /** Query heads; `keyHeads` of them, each for several query heads, have keys and values. */
  heads: number;
  keyHeads: number;
  /** Channels of a head; heads · headWidth need not be `width`. */
  headWidth: number;
  /** Hidden channels of the gated MLP. */
  mlp: number;
  theta?: number;
  eps?: number;
  /** Layers whose states, side by side, are the answer; counted from 1. Layers beyond the last of them are not run. */
  outputs: readonly number[];
}

/** Qwen3-4B as FLUX.2 [klein] reads it: 4,022,468,096 parameters, of which it takes the first 27 layers. */
export const QWEN3_4B: Qwen3Options = {
  vocabulary: 151_936,
  width: 2560,
  layers: 36,
  heads: 32,
  keyHeads: 8,
  headWidth: 128,
  mlp: 9728,
  theta: 1_000_000,
  outputs: [9, 18, 27],
};

/** Rotations of RoPE on halves: channel i turns with channel i + D/2. (cos, sin), `[N, D/2]` float32 each. */
function turns(tokens: number, { headWidth, theta = 1_000_000 }: Qwen3Options, device: string): [Tensor, Tensor] {
  const frequencies = arange(0, headWidth, 2, { dtype: "float64", device })
    .mul(-Math.log(theta) / headWidth)
    .exp();
  const angles = arange(0, tokens, 1, { dtype: "float64", device }).unsqueeze(1).mul(frequencies).float();
  return [angles.cos(), angles.sin()];
}

/** What a layer is told of the text: rotations of its positions, and which keys a query may see `[B, 1, N, N]`. */
interface Reading {
  turns: [cos: Tensor, sin: Tensor];
  mask: Tensor;
}

class SelfAttention extends nn.Module {
  readonly q_proj: nn.Linear;
  readonly k_proj: nn.Linear;
  readonly v_proj: nn.Linear;
  readonly o_proj: nn.Linear;
  readonly q_norm: nn.RMSNorm;
  readonly k_norm: nn.RMSNorm;
  readonly #headWidth: number;
  /** Query heads that share a key head. */
  readonly #group: number;

  constructor({ width, heads, keyHeads, headWidth, eps }: Qwen3Options) {
    super();
    const linear = (inputs: number, out: number) => new nn.Linear({ in: inputs, out, bias: false });
    this.#headWidth = headWidth;
    this.#group = heads / keyHeads;
    this.q_proj = linear(width, heads * headWidth);
    this.k_proj = linear(width, keyHeads * headWidth);
    this.v_proj = linear(width, keyHeads * headWidth);
    this.o_proj = linear(heads * headWidth, width);
    this.q_norm = new nn.RMSNorm({ size: headWidth, eps });
    this.k_norm = new nn.RMSNorm({ size: headWidth, eps });
  }

  /** `[B, N, W] → [B, N, W]` */
  forward(x: Tensor, { turns: [cos, sin], mask }: Reading): Tensor {
    return scope(() => {
      const heads = (layer: nn.Linear) => layer.forward(x).unflatten(-1, [-1, this.#headWidth]);
      const turned = (normed: Tensor) => {
        const [a, b] = normed.transpose(1, 2).float().chunk(2, -1);
        return cat([a.mul(cos).sub(b.mul(sin)), b.mul(cos).add(a.mul(sin))], -1).to(x.dtype);
      };
      const shared = (keys: Tensor) => (this.#group === 1 ? keys : keys.repeatInterleave(this.#group, 1));
      const q = turned(this.q_norm.forward(heads(this.q_proj)));
      const k = shared(turned(this.k_norm.forward(heads(this.k_proj))));
      const v = shared(heads(this.v_proj).transpose(1, 2));
      return this.o_proj.forward(nn.attention(q, k, v, { mask }).transpose(1, 2).flatten(2));
    });
  }
}

class Mlp extends nn.Module {
  readonly gate_proj: nn.Linear;
  readonly up_proj: nn.Linear;
  readonly down_proj: nn.Linear;

  constructor({ width, mlp }: Qwen3Options) {
    super();
    this.gate_proj = new nn.Linear({ in: width, out: mlp, bias: false });
    this.up_proj = new nn.Linear({ in: width, out: mlp, bias: false });
    this.down_proj = new nn.Linear({ in: mlp, out: width, bias: false });
  }

  forward(x: Tensor): Tensor {
    return scope(() => this.down_proj.forward(F.silu(this.gate_proj.forward(x)).mul(this.up_proj.forward(x))));
  }
}

class Layer extends nn.Module {
  readonly self_attn: SelfAttention;
  readonly mlp: Mlp;
  readonly input_layernorm: nn.RMSNorm;
  readonly post_attention_layernorm: nn.RMSNorm;

  constructor(options: Qwen3Options) {
    super();
    const { width: size, eps } = options;
    this.self_attn = new SelfAttention(options);
    this.mlp = new Mlp(options);
    this.input_layernorm = new nn.RMSNorm({ size, eps });
    this.post_attention_layernorm = new nn.RMSNorm({ size, eps });
  }

  forward(x: Tensor, reading: Reading): Tensor {
    return scope(() => {
      const y = x.add(this.self_attn.forward(this.input_layernorm.forward(x), reading));
      return y.add(this.mlp.forward(this.post_attention_layernorm.forward(y)));
    });
  }
}

/**
 * Qwen3's transformer by Hugging Face's keys below `model.`, as FLUX.2 [klein] reads it: the states after three of its
 * layers, side by side. Built with no more layers than it is asked for it has no final norm.
 */
export class Qwen3 extends nn.Module {
  readonly embed_tokens: nn.Embedding;
  readonly layers: Layer[];
  readonly norm: nn.RMSNorm | undefined;
  readonly #options: Qwen3Options;

  /** @param whole keep the layers behind the last output, and the final norm; nothing here needs them */
  constructor(options: Qwen3Options, { whole = false }: { whole?: boolean } = {}) {
    super();
    const { vocabulary, width, layers, heads, keyHeads, outputs, eps } = options;
    const last = Math.max(...outputs);
    if (heads % keyHeads !== 0) throw new RangeError(`Qwen3: ${heads} heads do not share ${keyHeads} key heads`);
    if (last > layers) throw new RangeError(`Qwen3: layer ${last} is asked for, the model has ${layers}`);
    this.#options = options;
    this.embed_tokens = new nn.Embedding({ num: vocabulary, dim: width });
    this.layers = repeat(whole ? layers : last, () => new Layer(options));
    if (whole) this.norm = new nn.RMSNorm({ size: width, eps });
  }

  /** States after `outputs` layers, side by side: ids and mask (1: text, 0: padding) `[B, N]` → `[B, N, outputs · W]`. */
  forward(ids: Tensor, mask: Tensor): Tensor {
    const { outputs } = this.#options;
    const last = Math.max(...outputs);
    return scope(() => {
      const states = new Map<number, Tensor>();
      for (const [layer, state] of this.states(ids, mask, last)) if (outputs.includes(layer)) states.set(layer, state);
      return cat(
        outputs.map((layer) => states.get(layer) as Tensor),
        -1,
      );
    });
  }

  /** The states after each layer, from the embeddings (0) on. */
  *states(ids: Tensor, mask: Tensor, last = this.layers.length): Generator<[layers: number, states: Tensor]> {
    const { shape, device } = ids;
    const causal = ones([shape[1], shape[1]], { device }).tril().ne(0);
    const reading = {
      turns: turns(shape[1], this.#options, device),
      mask: causal.logicalAnd(mask.ne(0).view([shape[0], 1, 1, shape[1]])),
    };
    let x = this.embed_tokens.forward(ids);
    yield [0, x];
    for (const [i, layer] of this.layers.slice(0, last).entries()) {
      x = layer.forward(x, reading);
      yield [i + 1, x];
    }
  }
}
