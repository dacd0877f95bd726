import { nn, randn, scope, type Tensor, where, zeros } from "@omni-id/torch";
import { Block } from "./blocks.ts";
import type { TargetTokens } from "./pictures/target-tokens.ts";
import { repeat } from "./repeat.ts";

/** Sizes of the decoder. */
export interface MaskedDecoderOptions {
  /** Channels C of an identity token. */
  identityWidth: number;
  /** Side of the target image, in pixels. */
  imageSize: number;
  /** Side of a patch, in pixels: (imageSize / patchSize)² target tokens. */
  patchSize: number;
  /** Channels of a target token. */
  width?: number;
  /** Self-attention blocks before the identity is asked; the paper's decoder has none (option of the nano preset). */
  poseBlocks?: number;
  crossBlocks?: number;
  selfBlocks?: number;
  headWidth?: number;
}

/**
 * Decoder 1, the masked transformer decoder (section 3.3, equations 4 and 5, figure 6 left). The encoder's blocks
 * again, but the queries are the tokens of the masked target x̃ʳ = xʳ ⊙ M and the keys and values the identity ℓ.
 * With 95 % of the target hidden, what the visible patches tell is pose and light; the person has to come from ℓ.
 */
export class MaskedDecoder extends nn.Module {
  readonly patchSize: number;
  readonly patch_embedding: nn.Linear;
  readonly mask_token: Tensor;
  readonly position: Tensor;
  readonly pose_blocks: Block[];
  readonly cross_blocks: Block[];
  readonly self_blocks: Block[];
  readonly norm: nn.LayerNorm;
  readonly to_pixels: nn.Linear;

  constructor({
    identityWidth,
    imageSize,
    patchSize,
    width = identityWidth,
    poseBlocks = 0,
    crossBlocks = 2,
    selfBlocks = 2,
    headWidth = 64,
  }: MaskedDecoderOptions) {
    super();
    const values = 3 * patchSize * patchSize;
    this.patchSize = patchSize;
    this.patch_embedding = new nn.Linear({ in: values, out: width });
    this.mask_token = nn.parameter(scope(() => randn([width]).mul(0.02)));
    this.position = nn.parameter(scope(() => randn([(imageSize / patchSize) ** 2, width]).mul(0.02)));
    this.pose_blocks = repeat(poseBlocks, () => new Block({ width, headWidth }));
    this.cross_blocks = repeat(crossBlocks, () => new Block({ width, context: identityWidth, headWidth }));
    this.self_blocks = repeat(selfBlocks, () => new Block({ width, headWidth }));
    this.norm = new nn.LayerNorm({ size: width });
    this.to_pixels = new nn.Linear({ in: width, out: values });
    // The first picture is the mean colour: no noise to unlearn.
    this.to_pixels.weight.detach().zero_();
  }

  /**
   * Decodes the chosen tokens: `patches [B, K, 3·p·p]` (values at hidden places are ignored), identities
   * `[B, L, C]` → `[B, K, 3·p·p]`, pixels in [−1, 1], float32.
   */
  forward(patches: Tensor, { index, visible }: TargetTokens, identity: Tensor): Tensor {
    return scope(() => {
      const embedded = this.patch_embedding.forward(patches);
      const shown = where(visible.unsqueeze(-1), embedded, this.mask_token.to(embedded.dtype));
      const position = this.position.indexSelect(0, index.flatten()).view([...index.shape, -1]);
      // float32 from here on: under autocast the residual stream keeps full precision.
      let x = shown.add(position);
      for (const block of this.pose_blocks) x = block.forward(x);
      for (const block of this.cross_blocks) x = block.forward(x, identity);
      for (const block of this.self_blocks) x = block.forward(x);
      return this.to_pixels.forward(this.norm.forward(x)).float();
    });
  }
}

/** The values of `tokens [B, N, V]` at `index [B, K]`: `[B, K, V]`. */
export function takeTokens(tokens: Tensor, index: Tensor): Tensor {
  return scope(() => tokens.gather(1, index.unsqueeze(-1).expand([...index.shape, tokens.shape[2]])));
}

/** Puts decoded tokens `[B, K, V]` back at `index [B, K]` of a grid of `count` tokens; the rest keeps `background`. */
export function putTokens(decoded: Tensor, index: Tensor, count: number, background?: Tensor): Tensor {
  return scope(() => {
    const [batch, , values] = decoded.shape;
    const base = background ?? zeros([batch, count, values], { dtype: decoded.dtype, device: decoded.device });
    return base.scatter(1, index.unsqueeze(-1).expand(decoded.shape), decoded);
  });
}

/**
 * Equation 4: mean absolute difference inside the face mask. All `[B, K, V]`; the mask holds 0 and 1.
 * @param size what the sum is divided by, where not the mask's own sum
 */
export function maskedL1(decoded: Tensor, target: Tensor, mask: Tensor, size: Tensor = mask.sum()): Tensor {
  return scope(() => decoded.sub(target).abs().mul(mask).sum().div(size.clamp(1)));
}
