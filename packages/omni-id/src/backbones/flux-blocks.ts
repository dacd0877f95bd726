import { cat, F, nn, scope, type Tensor } from "@omni-id/torch";
import { packedAttention, QKNorm, SelfAttention } from "./flux-attention.ts";

export interface FluxBlockOptions {
  width: number;
  heads: number;
  mlpRatio: number;
  /** Bias of the queries, keys and values of a double block. */
  qkvBias: boolean;
  /** Bias of all other linear layers. */
  bias: boolean;
  /** silu(a) · b instead of GELU between the layers of an MLP. */
  gated: boolean;
  /** Each block makes its own modulation from the condition, or is given that of all blocks of its kind. */
  modulation: "block" | "model";
}

/** What the tokens of one stream are scaled and shifted by before a layer, and its answer is multiplied by after it. */
interface ModulationOut {
  /** `[B, 1, W]` each. */
  shift: Tensor;
  scale: Tensor;
  gate: Tensor;
}

/** adaLN: shifts, scales and gates of `layers` layers from the condition `[B, W]`: `[B, 1, 3 · layers · W]`. */
export class Modulation extends nn.Module {
  readonly lin: nn.Linear;

  constructor({ width, layers, bias }: { width: number; layers: number; bias: boolean }) {
    super();
    this.lin = new nn.Linear({ in: width, out: 3 * layers * width, bias });
  }

  forward(vec: Tensor): Tensor {
    return scope(() => this.lin.forward(F.silu(vec)).to(vec.dtype).unsqueeze(1));
  }
}

/** What one modulation holds for each of its layers. */
function modulationsOf(packed: Tensor, layers: number): ModulationOut[] {
  const parts = packed.chunk(3 * layers, -1);
  return Array.from({ length: layers }, (_, i) => {
    const [shift, scale, gate] = parts.slice(3 * i);
    return { shift, scale, gate };
  });
}

/** Two linear layers and what stands between them; keys "0" and "2" as in upstream's Sequential. */
class Mlp extends nn.Module {
  readonly 0: nn.Linear;
  readonly 2: nn.Linear;
  readonly #gated: boolean;

  constructor({ width, mlpRatio, bias, gated }: FluxBlockOptions) {
    super();
    const hidden = Math.trunc(width * mlpRatio);
    this.#gated = gated;
    this[0] = new nn.Linear({ in: width, out: gated ? 2 * hidden : hidden, bias });
    this[2] = new nn.Linear({ in: hidden, out: width, bias });
  }

  forward(x: Tensor): Tensor {
    return scope(() => this[2].forward(activated(F.linear(x, this[0].weight), this[0].bias, this.#gated)));
  }
}

/** FLUX.1: gelu(x + bias), by tanh. FLUX.2: silu(first half) · second half. */
function activated(x: Tensor, bias: Tensor | null, gated: boolean): Tensor {
  if (gated) {
    return scope(() => {
      const [gate, up] = (bias ? x.add(bias) : x).chunk(2, -1);
      return F.silu(gate).mul(up);
    });
  }
  return bias ? F.biasGelu(x, bias, { approximate: "tanh" }) : F.gelu(x, { approximate: "tanh" });
}

/** Decoupled attention for the first `rows` image tokens of one block; see `IpAdapter`. */
export interface IdentityAttention {
  rows: number;
  attend(query: Tensor): Tensor;
}

/** Adds to the first rows of a sequence: `[B, S, W]` and `[B, n ≤ S, W]` → `[B, S, W]`. */
export function addToFirst(x: Tensor, part: Tensor): Tensor {
  const [all, rows] = [x.shape[1], part.shape[1]];
  if (rows === all) return x.add(part);
  return scope(() => cat([x.narrow(1, 0, rows).add(part), x.narrow(1, rows, all - rows)], 1));
}

/**
 * Image and text each with weights of their own, one attention over both (DoubleStreamBlock of
 * flux/modules/layers.py).
 */
export class DoubleStreamBlock extends nn.Module {
  readonly img_mod: Modulation | undefined;
  readonly img_attn: SelfAttention;
  readonly img_mlp: Mlp;
  readonly txt_mod: Modulation | undefined;
  readonly txt_attn: SelfAttention;
  readonly txt_mlp: Mlp;
  readonly #heads: number;

  constructor(options: FluxBlockOptions) {
    super();
    this.#heads = options.heads;
    const own = options.modulation === "block";
    if (own) this.img_mod = new Modulation({ ...options, layers: 2 });
    this.img_attn = new SelfAttention(options);
    this.img_mlp = new Mlp(options);
    if (own) this.txt_mod = new Modulation({ ...options, layers: 2 });
    this.txt_attn = new SelfAttention(options);
    this.txt_mlp = new Mlp(options);
  }

  /**
   * `img [B, N, W]`, `txt [B, T, W]`, rotations of T + N tokens → both streams. A condition is the vector `[B, W]`
   * that the block's own modulation is made from, or where it has none that modulation, `[B, 1, 6W]`.
   * `identity` is given the image's queries after their norm and before RoPE, and its answer joins the image.
   */
  forward(
    { img, txt }: { img: Tensor; txt: Tensor },
    condition: { img: Tensor; txt: Tensor },
    rope: Tensor,
    identity?: IdentityAttention,
  ): { img: Tensor; txt: Tensor } {
    return scope(() => {
      const [textTokens, imageTokens] = [txt.shape[1], img.shape[1]];
      const [imgAttnMod, imgMlpMod] = modulationsOf(this.img_mod?.forward(condition.img) ?? condition.img, 2);
      const [txtAttnMod, txtMlpMod] = modulationsOf(this.txt_mod?.forward(condition.txt) ?? condition.txt, 2);

      const imgQkv = this.img_attn.qkv.forward(F.modulatedNorm(img, imgAttnMod));
      const txtQkv = this.txt_attn.qkv.forward(F.modulatedNorm(txt, txtAttnMod));
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

      let image = F.gatedAdd(
        img,
        imgAttnMod.gate,
        this.img_attn.proj.forward(attended.narrow(1, textTokens, imageTokens)),
      );
      image = F.gatedAdd(image, imgMlpMod.gate, this.img_mlp.forward(F.modulatedNorm(image, imgMlpMod)));
      if (identity) image = addToFirst(image, this.#asked(imgQkv.narrow(1, 0, identity.rows), identity));

      let text = F.gatedAdd(txt, txtAttnMod.gate, this.txt_attn.proj.forward(attended.narrow(1, 0, textTokens)));
      text = F.gatedAdd(text, txtMlpMod.gate, this.txt_mlp.forward(F.modulatedNorm(text, txtMlpMod)));
      return { img: image, txt: text };
    });
  }

  #asked(qkv: Tensor, identity: IdentityAttention): Tensor {
    return identity.attend(this.img_attn.norm.queries(qkv, this.#heads));
  }
}

/** Text and image as one sequence, attention and MLP side by side (SingleStreamBlock of flux/modules/layers.py). */
export class SingleStreamBlock extends nn.Module {
  readonly linear1: nn.Linear;
  readonly linear2: nn.Linear;
  readonly norm: QKNorm;
  readonly modulation: Modulation | undefined;
  readonly #heads: number;
  readonly #gated: boolean;

  constructor({ width, heads, mlpRatio, bias, gated, modulation }: FluxBlockOptions) {
    super();
    const hidden = Math.trunc(width * mlpRatio);
    this.#heads = heads;
    this.#gated = gated;
    this.linear1 = new nn.Linear({ in: width, out: 3 * width + (gated ? 2 * hidden : hidden), bias });
    this.linear2 = new nn.Linear({ in: width + hidden, out: width, bias });
    this.norm = new QKNorm(width / heads);
    if (modulation === "block") this.modulation = new Modulation({ width, layers: 1, bias });
  }

  /**
   * `x [B, T + N, W]`, text first → the same shape. The condition is `[B, W]` or, for a block without a modulation of
   * its own, `[B, 1, 3W]`. `identity` is asked for image tokens, which begin after `text` tokens.
   */
  forward(x: Tensor, condition: Tensor, rope: Tensor, identity?: IdentityAttention & { text: number }): Tensor {
    return scope(() => {
      const [mod] = modulationsOf(this.modulation?.forward(condition) ?? condition, 1);
      const normed = F.modulatedNorm(x, mod);
      const { weight, bias } = this.linear1;
      const [rows, width] = weight.shape;
      // Two products with parts of one weight: cutting their joint result would copy it, forward and backward.
      const part = (start: number, length: number) =>
        [weight.narrow(0, start, length), bias?.narrow(0, start, length) ?? null] as const;
      const [qkvWeight, qkvBias] = part(0, 3 * width);
      const [mlpWeight, mlpBias] = part(3 * width, rows - 3 * width);
      const qkv = F.linear(normed, qkvWeight, qkvBias);
      const attended = packedAttention(this.norm.forward(qkv, this.#heads, rope), this.#heads);
      const hidden = activated(F.linear(normed, mlpWeight), mlpBias, this.#gated);
      const y = F.gatedAdd(x, mod.gate, this.linear2.forward(cat([attended, hidden], -1)));
      if (!identity) return y;
      const { text } = identity;
      const queries = this.norm.queries(qkv.narrow(1, text, identity.rows), this.#heads);
      const image = addToFirst(y.narrow(1, text, y.shape[1] - text), identity.attend(queries));
      return cat([y.narrow(1, 0, text), image], 1);
    });
  }
}

/** The last modulated norm, and the map to channels of the latent. */
export class LastLayer extends nn.Module {
  readonly linear: nn.Linear;
  readonly adaLN_modulation: nn.Sequential;

  constructor({ width, out, bias }: { width: number; out: number; bias: boolean }) {
    super();
    this.linear = new nn.Linear({ in: width, out, bias });
    this.adaLN_modulation = new nn.Sequential([new nn.SiLU(), new nn.Linear({ in: width, out: 2 * width, bias })]);
  }

  /** `x [B, N, W]`, `vec [B, W]` → `[B, N, out]`. */
  forward(x: Tensor, vec: Tensor): Tensor {
    return scope(() => {
      const [shift, scale] = this.adaLN_modulation.forward(vec).to(vec.dtype).unsqueeze(1).chunk(2, -1);
      return this.linear.forward(F.modulatedNorm(x, { shift, scale }));
    });
  }
}
