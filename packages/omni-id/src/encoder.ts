import { cat, nn, randn, scope, type Tensor } from "@omni-id/torch";
import type { Backbone } from "./backbones/backbone.ts";
import { Block } from "./blocks.ts";
import { repeat } from "./repeat.ts";

/** Sizes of the encoder; the defaults are the paper's. */
export interface EncoderOptions {
  /** f(·) of section 3.1: turns one photo into image tokens. */
  backbone: Backbone;
  /** L, tokens of the identity (paper: 256). */
  queries?: number;
  /** C, channels of an identity token (paper: 1280). */
  width?: number;
  /** Cross-attention blocks, each with keys and values from z (paper: 2). */
  crossBlocks?: number;
  /** Self-attention blocks after them (paper: 2). */
  selfBlocks?: number;
  /** Channels of one attention head. */
  headWidth?: number;
  /**
   * Tokens of ℓ, the first ones, that carry the mean of the photos' class tokens as it is; the paper has none. What
   * the backbone knows of real people then reaches the identity whoever the training people were.
   */
  carriedTokens?: number;
}

/**
 * The Omni-ID encoder E (section 3.1, equation 1, figure 5): any number of photos of one person in,
 * one identity ℓ `[L, C]` out.
 *
 * The image tokens of all M photos are joined along the token axis, z = [f(x₁); …; f(x_M)]; learnable queries ask
 * z through cross-attention, then settle among themselves through self-attention. Photos carry no position of
 * their own, so their order cannot matter.
 */
export class Encoder extends nn.Module {
  readonly backbone: Backbone;
  readonly query: Tensor;
  readonly cross_blocks: Block[];
  readonly self_blocks: Block[];
  readonly norm: nn.LayerNorm;
  readonly carriedTokens: number;
  /** The image tokens are all it asks for; see `Representation`. */
  readonly wantsFeatures = false;

  constructor({
    backbone,
    queries = 256,
    width = 1280,
    crossBlocks = 2,
    selfBlocks = 2,
    headWidth = 64,
    carriedTokens = 0,
  }: EncoderOptions) {
    super();
    if (carriedTokens > 0 && carriedTokens * width !== backbone.classTokens * backbone.width) {
      throw new RangeError(
        `encoder: ${carriedTokens} tokens of ${width} cannot carry ${backbone.classTokens} class tokens of ${backbone.width}`,
      );
    }
    this.carriedTokens = carriedTokens;
    this.backbone = backbone;
    // Queries must start apart from each other, or the first cross-attention gives all of them the same answer.
    this.query = nn.parameter(scope(() => randn([queries, width]).mul(0.5)));
    this.cross_blocks = repeat(crossBlocks, () => new Block({ width, context: backbone.width, headWidth }));
    this.self_blocks = repeat(selfBlocks, () => new Block({ width, headWidth }));
    this.norm = new nn.LayerNorm({ size: width });
  }

  /** Shape of one identity, `[L, C]`. */
  get identityShape(): [number, number] {
    return [this.query.shape[0], this.query.shape[1]];
  }

  /** Photos `[B, M, 3, S, S]`, as the backbone wants them, to identities `[B, L, C]`. */
  forward(photos: Tensor): Tensor {
    return scope(() => {
      const [batch, images, ...image] = photos.shape;
      const tokens = this.backbone.forward(photos.reshape([batch * images, ...image]));
      return this.fromTokens(tokens.reshape([batch, images * this.backbone.tokens, this.backbone.width]));
    });
  }

  /** Image tokens of a set z `[B, M · tokens, backbone width]` to identities ℓ `[B, L, C]`. */
  fromTokens(z: Tensor): Tensor {
    return scope(() => {
      let l = this.query.expand([z.shape[0], ...this.identityShape]);
      for (const block of this.cross_blocks) l = block.forward(l, z);
      for (const block of this.self_blocks) l = block.forward(l);
      const settled = this.norm.forward(l);
      const carried = this.carriedTokens;
      if (carried === 0) return settled;
      return cat([this.#carry(z), settled.narrow(1, carried, settled.shape[1] - carried)], 1);
    });
  }

  /**
   * What each query looks at (figure 10): the attention of every cross-attention block, the mean over its heads.
   * z `[B, M · tokens, W] → [B, L, M · tokens]` a block; the weights of a query sum to 1.
   */
  attention(z: Tensor): Tensor[] {
    return scope(() => {
      let l = this.query.expand([z.shape[0], ...this.identityShape]);
      return this.cross_blocks.map((block) => {
        const looked = block.attention(l, z).mean([1]);
        l = block.forward(l, z);
        return looked;
      });
    });
  }

  /** The mean of all photos' class tokens, scaled to elements of unit size: `[B, M · tokens, W] → [B, carried, C]`. */
  #carry(z: Tensor): Tensor {
    return scope(() => {
      const { tokens, classTokens } = this.backbone;
      const mean = z
        .unflatten(1, [-1, tokens])
        .narrow(2, tokens - classTokens, classTokens)
        .float()
        .mean([1])
        .flatten(1);
      const size = mean.square().mean([1], { keepdim: true }).add(1e-12).sqrt();
      return mean.div(size).unflatten(1, [this.carriedTokens, -1]);
    });
  }
}
