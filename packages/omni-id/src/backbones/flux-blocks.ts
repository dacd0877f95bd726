import { cat, F, nn, scope, type Tensor } from "@omni-id/torch";
import { packedAttention, QKNorm, SelfAttention } from "./flux-attention.ts";

export interface FluxBlockOptions {
  width: number;
  heads: number;
  mlpRatio: number;
  qkvBias: boolean;
}

/** What the tokens of one stream are scaled and shifted by before a layer, and its answer is multiplied by after it. */
interface ModulationOut {
  /** `[B, 1, W]` each. */
  shift: Tensor;
  scale: Tensor;
  gate: Tensor;
}

/** adaLN: shift, scale and gate of one or two layers from the block's condition `vec [B, W]`. */
export class Modulation extends nn.Module {
  readonly lin: nn.Linear;
  readonly #layers: number;

  constructor({ width, layers }: { width: number; layers: number }) {
    super();
    this.#layers = layers;
    this.lin = new nn.Linear({ in: width, out: 3 * layers * width });
  }

  forward(vec: Tensor): ModulationOut[] {
    return scope(() => {
      const parts = this.lin
        .forward(F.silu(vec))
        .to(vec.dtype)
        .unsqueeze(1)
        .chunk(3 * this.#layers, -1);
      return Array.from({ length: this.#layers }, (_, i) => {
        const [shift, scale, gate] = parts.slice(3 * i);
        return { shift, scale, gate };
      });
    });
  }
}

/** (1 + scale) · LN(x) + shift, the norm without factors of its own: `[B, S, W] → [B, S, W]`. */
export function modulatedNorm(x: Tensor, { shift, scale }: { shift: Tensor; scale: Tensor }): Tensor {
  return scope(() => shift.addcmul(F.layerNorm(x, [x.shape[2]], null, null, { eps: 1e-6 }), scale.add(1)));
}

/** Two linear layers with a GELU (tanh) between them; keys "0" and "2" as in upstream's Sequential. */
class Mlp extends nn.Module {
  readonly 0: nn.Linear;
  readonly 2: nn.Linear;

  constructor({ width, mlpRatio }: FluxBlockOptions) {
    super();
    this[0] = new nn.Linear({ in: width, out: width * mlpRatio });
    this[2] = new nn.Linear({ in: width * mlpRatio, out: width });
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const hidden = F.biasGelu(F.linear(x, this[0].weight), this[0].bias as Tensor, { approximate: "tanh" });
      return this[2].forward(hidden);
    });
  }
}

/** Decoupled attention for the image tokens of one block; see `IpAdapter`. */
export type IdentityAttention = (query: Tensor) => Tensor;

/**
 * Image and text each with weights of their own, one attention over both (DoubleStreamBlock of
 * flux/modules/layers.py).
 */
export class DoubleStreamBlock extends nn.Module {
  readonly img_mod: Modulation;
  readonly img_attn: SelfAttention;
  readonly img_mlp: Mlp;
  readonly txt_mod: Modulation;
  readonly txt_attn: SelfAttention;
  readonly txt_mlp: Mlp;
  readonly #heads: number;

  constructor(options: FluxBlockOptions) {
    super();
    this.#heads = options.heads;
    this.img_mod = new Modulation({ width: options.width, layers: 2 });
    this.img_attn = new SelfAttention(options);
    this.img_mlp = new Mlp(options);
    this.txt_mod = new Modulation({ width: options.width, layers: 2 });
    this.txt_attn = new SelfAttention(options);
    this.txt_mlp = new Mlp(options);
  }

  /**
   * `img [B, N, W]`, `txt [B, T, W]`, `vec [B, W]`, rotations of T + N tokens → both streams.
   * `identity` is given the image's queries after their norm and before RoPE, and its answer joins the image.
   */
  forward(
    { img, txt }: { img: Tensor; txt: Tensor },
    vec: Tensor,
    rope: Tensor,
    identity?: IdentityAttention,
  ): { img: Tensor; txt: Tensor } {
    return scope(() => {
      const [textTokens, imageTokens] = [txt.shape[1], img.shape[1]];
      const [imgAttnMod, imgMlpMod] = this.img_mod.forward(vec);
      const [txtAttnMod, txtMlpMod] = this.txt_mod.forward(vec);

      const imgQkv = this.img_attn.qkv.forward(modulatedNorm(img, imgAttnMod));
      const txtQkv = this.txt_attn.qkv.forward(modulatedNorm(txt, txtAttnMod));
      const attended = packedAttention(
        cat(
          [
            this.txt_attn.norm.forward(txtQkv, this.#heads, rope.narrow(-2, 0, textTokens)),
            this.img_attn.norm.forward(imgQkv, this.#heads, rope.narrow(-2, textTokens, imageTokens)),
          ],
          1,
        ),
        this.#heads,
      );

      let image = img.addcmul(imgAttnMod.gate, this.img_attn.proj.forward(attended.narrow(1, textTokens, imageTokens)));
      image = image.addcmul(imgMlpMod.gate, this.img_mlp.forward(modulatedNorm(image, imgMlpMod)));
      if (identity) image = image.add(identity(this.img_attn.norm.queries(imgQkv, this.#heads)));

      let text = txt.addcmul(txtAttnMod.gate, this.txt_attn.proj.forward(attended.narrow(1, 0, textTokens)));
      text = text.addcmul(txtMlpMod.gate, this.txt_mlp.forward(modulatedNorm(text, txtMlpMod)));
      return { img: image, txt: text };
    });
  }
}

/** Text and image as one sequence, attention and MLP side by side (SingleStreamBlock of flux/modules/layers.py). */
export class SingleStreamBlock extends nn.Module {
  readonly linear1: nn.Linear;
  readonly linear2: nn.Linear;
  readonly norm: QKNorm;
  readonly modulation: Modulation;
  readonly #heads: number;

  constructor({ width, heads, mlpRatio }: FluxBlockOptions) {
    super();
    this.#heads = heads;
    this.linear1 = new nn.Linear({ in: width, out: (3 + mlpRatio) * width });
    this.linear2 = new nn.Linear({ in: (1 + mlpRatio) * width, out: width });
    this.norm = new QKNorm(width / heads);
    this.modulation = new Modulation({ width, layers: 1 });
  }

  /** `x [B, T + N, W]`, text first; `vec [B, W]` → `[B, T + N, W]`. */
  forward(x: Tensor, vec: Tensor, rope: Tensor): Tensor {
    return scope(() => {
      const [mod] = this.modulation.forward(vec);
      const normed = modulatedNorm(x, mod);
      const { weight, bias } = this.linear1;
      const [rows, width] = weight.shape;
      // Two products with parts of one weight: cutting their joint result would copy it, forward and backward.
      const part = (start: number, length: number) =>
        [weight, bias as Tensor].map((tensor) => tensor.narrow(0, start, length));
      const [qkvWeight, qkvBias] = part(0, 3 * width);
      const [mlpWeight, mlpBias] = part(3 * width, rows - 3 * width);
      const qkv = F.linear(normed, qkvWeight, qkvBias);
      const attended = packedAttention(this.norm.forward(qkv, this.#heads, rope), this.#heads);
      const hidden = F.biasGelu(F.linear(normed, mlpWeight), mlpBias, { approximate: "tanh" });
      return x.addcmul(mod.gate, this.linear2.forward(cat([attended, hidden], -1)));
    });
  }
}

/** The last modulated norm, and the map to channels of the latent. */
export class LastLayer extends nn.Module {
  readonly linear: nn.Linear;
  readonly adaLN_modulation: nn.Sequential;

  constructor({ width, out }: { width: number; out: number }) {
    super();
    this.linear = new nn.Linear({ in: width, out });
    this.adaLN_modulation = new nn.Sequential([new nn.SiLU(), new nn.Linear({ in: width, out: 2 * width })]);
  }

  /** `x [B, N, W]`, `vec [B, W]` → `[B, N, out]`. */
  forward(x: Tensor, vec: Tensor): Tensor {
    return scope(() => {
      const [shift, scale] = this.adaLN_modulation.forward(vec).to(vec.dtype).unsqueeze(1).chunk(2, -1);
      return this.linear.forward(modulatedNorm(x, { shift, scale }));
    });
  }
}
