import { type Generator, nn, randn, scope, type Tensor } from "@omni-id/torch";
import { type AutoencoderOptions, PictureDecoder, PictureEncoder } from "./autoencoder-blocks.ts";
import { decodeInTiles, type TileOptions } from "./tiles.ts";

export type { AutoencoderOptions } from "./autoencoder-blocks.ts";

/** FLUX.1's autoencoder, the same for dev and schnell: 83,819,683 parameters. */
export const FLUX_AUTOENCODER: AutoencoderOptions = {
  channels: 128,
  multipliers: [1, 2, 4, 4],
  resBlocks: 2,
  latentChannels: 16,
  scale: 0.3611,
  shift: 0.1159,
};

export interface EncodeOptions {
  /** Draws the latent from its distribution, as upstream does, instead of taking the mean. */
  sample?: boolean;
  generator?: Generator;
}

/** Pictures to latents that a flow model draws in, and back. */
export interface Autoencoder extends nn.Module {
  readonly latentChannels: number;
  /** Picture pixels a latent, along one side. */
  readonly factor: number;
  /** Pictures `[B, 3, H, W]` in [−1, 1] to latents `[B, latentChannels, H / factor, W / factor]`. */
  encode(pictures: Tensor, options?: EncodeOptions): Tensor;
  /** Latents to pictures, not clamped. */
  decode(latents: Tensor): Tensor;
}

/** The FLUX autoencoder (flux/modules/autoencoder.py), by Black Forest Labs' keys. */
export class FluxAutoencoder extends nn.Module implements Autoencoder {
  readonly latentChannels: number;
  readonly factor: number;
  readonly encoder: PictureEncoder;
  readonly decoder: PictureDecoder;
  readonly #scale: number;
  readonly #shift: number;

  constructor({ scale, shift, pictureChannels = 3, groups = 32, ...rest }: AutoencoderOptions) {
    super();
    this.#scale = scale;
    this.#shift = shift;
    this.latentChannels = rest.latentChannels;
    this.factor = 2 ** (rest.multipliers.length - 1);
    const sizes = { ...rest, pictureChannels, groups };
    this.encoder = new PictureEncoder(sizes);
    this.decoder = new PictureDecoder(sizes);
  }

  /** Mean and log variance of the raw latents, `[B, 2z, H / factor, W / factor]`. */
  moments(pictures: Tensor): Tensor {
    const [height, width] = pictures.shape.slice(-2);
    if (height % this.factor !== 0 || width % this.factor !== 0) {
      throw new RangeError(`a picture of ${width}×${height} pixels: both sides must be multiples of ${this.factor}`);
    }
    return this.encoder.forward(pictures);
  }

  encode(pictures: Tensor, { sample = false, generator }: EncodeOptions = {}): Tensor {
    return scope(() => {
      const [mean, logVariance] = this.moments(pictures).chunk(2, 1);
      const { shape, dtype, device } = mean;
      const z = sample ? mean.addcmul(logVariance.mul(0.5).exp(), randn(shape, { dtype, device, generator })) : mean;
      return z.sub(this.#shift).mul(this.#scale);
    });
  }

  decode(latents: Tensor): Tensor {
    return scope(() => this.decoder.forward(latents.div(this.#scale).add(this.#shift)));
  }

  /** The same for pictures whose maps do not fit into memory as a whole; see {@link decodeInTiles}. */
  decodeTiled(latents: Tensor, options: TileOptions = {}): Tensor {
    return decodeInTiles((part) => this.decode(part), latents, { ...options, factor: this.factor });
  }
}
