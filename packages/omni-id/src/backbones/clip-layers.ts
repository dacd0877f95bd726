import { F, nn, scope, type Tensor } from "@omni-id/torch";
import { repeat } from "../repeat.ts";

export type Activation = "gelu" | "quick_gelu";

export interface ClipTowerOptions {
  width: number;
  layers: number;
  heads: number;
  mlp: number;
  activation: Activation;
}

function activate(x: Tensor, activation: Activation): Tensor {
  return activation === "gelu" ? F.gelu(x) : x.mul(x.mul(1.702).sigmoid());
}

class ClipAttention extends nn.Module {
  readonly heads: number;
  readonly q_proj: nn.Linear;
  readonly k_proj: nn.Linear;
  readonly v_proj: nn.Linear;
  readonly out_proj: nn.Linear;

  constructor({ width, heads }: ClipTowerOptions) {
    super();
    this.heads = heads;
    this.q_proj = new nn.Linear({ in: width, out: width });
    this.k_proj = new nn.Linear({ in: width, out: width });
    this.v_proj = new nn.Linear({ in: width, out: width });
    this.out_proj = new nn.Linear({ in: width, out: width });
  }

  /** `[B, N, W] → [B, N, W]`; `mask` as in `nn.attention`. */
  forward(x: Tensor, mask?: Tensor): Tensor {
    return scope(() => {
      const [batch, tokens, width] = x.shape;
      const split = (t: Tensor) => t.view([batch, tokens, this.heads, width / this.heads]).transpose(1, 2);
      const [q, k, v] = [this.q_proj, this.k_proj, this.v_proj].map((layer) => split(layer.forward(x)));
      return this.out_proj.forward(nn.attention(q, k, v, { mask }).transpose(1, 2).reshape([batch, tokens, width]));
    });
  }
}

class ClipMlp extends nn.Module {
  readonly fc1: nn.Linear;
  readonly fc2: nn.Linear;
  readonly activation: Activation;

  constructor({ width, mlp, activation }: ClipTowerOptions) {
    super();
    this.activation = activation;
    this.fc1 = new nn.Linear({ in: width, out: mlp });
    this.fc2 = new nn.Linear({ in: mlp, out: width });
  }

  forward(x: Tensor): Tensor {
    return scope(() => this.fc2.forward(activate(this.fc1.forward(x), this.activation)));
  }
}

class ClipLayer extends nn.Module {
  readonly self_attn: ClipAttention;
  readonly layer_norm1: nn.LayerNorm;
  readonly mlp: ClipMlp;
  readonly layer_norm2: nn.LayerNorm;

  constructor(options: ClipTowerOptions) {
    super();
    this.self_attn = new ClipAttention(options);
    this.layer_norm1 = new nn.LayerNorm({ size: options.width });
    this.mlp = new ClipMlp(options);
    this.layer_norm2 = new nn.LayerNorm({ size: options.width });
  }

  forward(x: Tensor, mask?: Tensor): Tensor {
    return scope(() => {
      const attended = x.add(this.self_attn.forward(this.layer_norm1.forward(x), mask));
      return attended.add(this.mlp.forward(this.layer_norm2.forward(attended)));
    });
  }
}

/** The transformer that sees and the one that reads, by Hugging Face's keys. */
export class ClipLayers extends nn.Module {
  readonly layers: ClipLayer[];

  constructor(options: ClipTowerOptions) {
    super();
    this.layers = repeat(options.layers, () => new ClipLayer(options));
  }

  forward(x: Tensor, mask?: Tensor): Tensor {
    return scope(() => this.layers.reduce((y, layer) => layer.forward(y, mask), x));
  }
}
