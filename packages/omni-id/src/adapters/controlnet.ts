import { F, nn, noGrad, randn, scope, type Tensor } from "@omni-id/torch";
import type { Flux } from "../backbones/flux.ts";
import type { FluxOptions } from "../backbones/flux-options.ts";
import { FluxTrunk, type FluxTrunkInput } from "../backbones/flux-trunk.ts";
import { repeat } from "../repeat.ts";
import { zeroed } from "./zero.ts";

export interface HintOptions {
  /** Channels inside the hint block. */
  channels?: number;
  /** Strides of its 3×3 convolutions; upstream's eight bring the picture to 1/8. */
  strides?: readonly number[];
  /** Side of the patches that then become tokens; upstream packs 2×2, as the latents are packed. */
  patch?: number;
}

export interface ControlNetOptions {
  /** The FLUX that it steers. */
  flux: FluxOptions;
  /** Double blocks of its own. */
  blocks?: number;
  hint?: HintOptions;
}

const DOWN_TO_EIGHTH = [1, 1, 2, 1, 2, 1, 2, 1];

export interface ControlNetInput extends FluxTrunkInput {
  /** The picture that steers, such as drawn landmarks, `[B, 3, H, W]` in [−1, 1]. */
  condition: Tensor;
}

/** E[SiLU(x)²] of a standard normal x. */
const SILU_SQUARE = 0.355;

/**
 * Starts a convolution so that what comes out before a SiLU varies as much as what went into the last one. By the
 * default start a hint of eight layers has lost its picture: what is left of it is a ten-thousandth of the biases.
 */
function keepVariance({ weight, bias }: nn.Conv2d): void {
  noGrad(() =>
    scope(() => {
      const fanIn = weight.numel / weight.shape[0];
      weight.copy_(randn(weight.shape).div(Math.sqrt(SILU_SQUARE * fanIn)));
      bias?.zero_();
    }),
  );
}

/**
 * ControlNet for FLUX (section 4.2; layout of XLabs-AI/x-flux): the base's first double blocks once more, with the
 * steering picture added to the image tokens; their states, through layers that start at zero, are the residuals for
 * `Flux.forward`.
 */
export class ControlNet extends FluxTrunk {
  readonly controlnet_blocks: nn.Linear[];
  readonly pos_embed_input: nn.Linear;
  readonly input_hint_block: nn.Sequential;
  readonly #patch: number;
  /** Picture pixels a token, along one side. */
  readonly #pixels: number;

  constructor({
    flux,
    blocks = 2,
    hint: { channels = 16, strides = DOWN_TO_EIGHTH, patch = 2 } = {},
  }: ControlNetOptions) {
    super({ ...flux, doubleBlocks: blocks });
    const { width } = flux;
    this.#patch = patch;
    this.#pixels = patch * strides.reduce((product, stride) => product * stride, 1);
    this.controlnet_blocks = repeat(blocks, () => zeroed(new nn.Linear({ in: width, out: width })));
    this.pos_embed_input = new nn.Linear({ in: channels * patch ** 2, out: width });
    const convolutions = strides.map(
      (stride, i) => new nn.Conv2d({ in: i === 0 ? 3 : channels, out: channels, kernel: 3, padding: 1, stride }),
    );
    for (const layer of convolutions) keepVariance(layer);
    zeroed(convolutions[convolutions.length - 1]);
    this.input_hint_block = new nn.Sequential(
      convolutions.flatMap((layer, i) => (i === 0 ? [layer] : [new nn.SiLU(), layer])),
    );
  }

  /** Takes over the base model's embeddings and first double blocks. @throws when the base is of another size */
  initialiseFrom(flux: Flux): void {
    const own = this.stateDict();
    const shared = [...flux.stateDict()].filter(([key]) => own.has(key));
    this.loadStateDict(new Map(shared), { strict: false });
  }

  /** One residual a block, `[B, N, width]`. @throws when the picture does not give one patch an image token */
  forward(input: ControlNetInput): Tensor[] {
    return scope(() => {
      const { vec, rope, condition, ...start } = this.embed(input);
      let [img, txt] = [start.img.add(this.#hint(input.condition, start.img)), start.txt];
      return this.controlnet_blocks.map((layer, i) => {
        [img, txt] = this.doubleBlock(i, { img, txt, condition, rope }, input);
        return layer.forward(img).to(vec.dtype);
      });
    });
  }

  /** The steering picture as image tokens: `[B, 3, H, W] → [B, N, width]`. */
  #hint(condition: Tensor, { shape, dtype }: Tensor): Tensor {
    const [, colours, height, width] = condition.shape;
    if (condition.ndim !== 4 || colours !== 3 || height % this.#pixels !== 0 || width % this.#pixels !== 0) {
      throw new RangeError(
        `ControlNet: pictures are [${condition.shape.join(", ")}], expected [B, 3, H, W] with both sides multiples of ${this.#pixels}`,
      );
    }
    return scope(() => {
      const map = F.pixelUnshuffle(this.input_hint_block.forward(condition.to(dtype)), this.#patch);
      const tokens = map.flatten(2).transpose(1, 2);
      if (tokens.shape[0] !== shape[0] || tokens.shape[1] !== shape[1]) {
        throw new RangeError(
          `ControlNet: pictures [${condition.shape.join(", ")}] give ${tokens.shape[0]} × ${tokens.shape[1]} tokens, the latents have ${shape[0]} × ${shape[1]}; use pictures of the size that is generated`,
        );
      }
      return this.pos_embed_input.forward(tokens).to(dtype);
    });
  }
}
