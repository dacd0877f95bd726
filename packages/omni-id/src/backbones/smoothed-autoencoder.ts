import { F, nn, randn, scope, type Tensor } from "@omni-id/torch";
import { repeat } from "../repeat.ts";
import { ResnetBlock } from "./autoencoder-blocks.ts";
import { LinearAutoencoder, type LinearAutoencoderOptions } from "./linear-autoencoder.ts";

/** Side of the square of pixels that one place of the smoother's maps stands for. */
const PLACE = 4;

export interface SmootherOptions {
  channels: number;
  /** Residual blocks. */
  blocks: number;
  /** Groups of their GroupNorms. */
  groups: number;
}

export interface SmoothedAutoencoderOptions extends LinearAutoencoderOptions {
  smoother: SmootherOptions;
}

/** What is to be added to a picture whose patches were drawn each for itself: `[B, 3, H, W] → [B, 3, H, W]`. */
class Smoother extends nn.Module {
  readonly conv_in: nn.Conv2d;
  /** Tells the places of a patch apart: where its seams are. `[1, C, p, p]` */
  readonly place: Tensor;
  readonly block: ResnetBlock[];
  readonly norm_out: nn.GroupNorm;
  readonly conv_out: nn.Conv2d;

  constructor({ channels, blocks, groups, patchSize }: SmootherOptions & { patchSize: number }) {
    super();
    const values = 3 * PLACE ** 2;
    this.conv_in = new nn.Conv2d({ in: values, out: channels, kernel: 3, padding: 1 });
    const places = patchSize / PLACE;
    this.place = scope(() => nn.parameter(randn([1, channels, places, places]).mul(0.1)));
    this.block = repeat(blocks, () => new ResnetBlock({ in: channels, out: channels, groups }));
    this.norm_out = new nn.GroupNorm({ groups, channels, eps: 1e-6 });
    this.conv_out = new nn.Conv2d({ in: channels, out: values, kernel: 3, padding: 1 });
    // Nothing is added at first.
    scope(() => {
      for (const parameter of [this.conv_out.weight, this.conv_out.bias]) parameter?.detach().zero_();
    });
  }

  forward(pictures: Tensor): Tensor {
    return scope(() => {
      const map = this.conv_in.forward(F.pixelUnshuffle(pictures, PLACE));
      const [, , rows, columns] = map.shape;
      const [, , side] = this.place.shape;
      const start = map.add(this.place.repeat([1, 1, rows / side, columns / side]));
      const seen = this.block.reduce((x, block) => block.forward(x), start);
      return F.pixelShuffle(this.conv_out.forward(F.silu(this.norm_out.forward(seen))), PLACE);
    });
  }
}

/**
 * Principal directions of patches, whose pictures a small network sees once more, all patches together: it mends the seams
 * between neighbours and adds what the directions left out. Latents are those of {@link LinearAutoencoder}, coarse
 * directions before fine ones, and need no training; a flow model of them can be trained before the smoother, or after.
 */
export class SmoothedAutoencoder extends LinearAutoencoder {
  readonly smoother: Smoother;

  /** @throws when a patch is no multiple of 4 pixels */
  constructor({ smoother, ...linear }: SmoothedAutoencoderOptions) {
    super(linear);
    const { patchSize } = linear;
    if (patchSize % PLACE !== 0) {
      throw new RangeError(`flow.latents.patchSize=${patchSize}: what smooths its seams wants a multiple of ${PLACE}`);
    }
    this.smoother = new Smoother({ ...smoother, patchSize });
  }

  override decode(latents: Tensor): Tensor {
    return scope(() => {
      const pictures = this.fromDirections(latents);
      return pictures.add(this.smoother.forward(pictures.to(this.smoother.conv_in.weight.dtype)));
    });
  }
}
