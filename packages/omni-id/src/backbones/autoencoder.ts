import { type DType, F, type Generator, nn, ones, randn, scope, type Tensor, zeros } from "@omni-id/torch";
import { type AutoencoderOptions, PictureDecoder, PictureEncoder } from "./autoencoder-blocks.ts";
import { inParts } from "./parts.ts";
import { decodeInTiles, type TileOptions } from "./tiles.ts";

export type { AutoencoderOptions } from "./autoencoder-blocks.ts";

/** FLUX.1's latents: scale · (z − shift). */
export interface FluxAutoencoderOptions extends AutoencoderOptions {
  scale: number;
  shift: number;
}

/** FLUX.1's autoencoder, the same for dev and schnell: 83,819,683 parameters. */
export const FLUX_AUTOENCODER: FluxAutoencoderOptions = {
  channels: 128,
  multipliers: [1, 2, 4, 4],
  resBlocks: 2,
  latentChannels: 16,
  scale: 0.3611,
  shift: 0.1159,
};

/** FLUX.2's autoencoder: 84,046,115 parameters. */
export const FLUX2_AUTOENCODER: AutoencoderOptions = {
  channels: 128,
  multipliers: [1, 2, 4, 4],
  resBlocks: 2,
  latentChannels: 32,
  quantConvolutions: true,
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

/**
 * Pixels that go through the network at once where nobody wants gradients. Its widest maps have 128 channels a pixel,
 * and several of them stand at once: 2 GB or so for these.
 */
const PIXELS_AT_ONCE = 4 * 512 ** 2;

/** The network that both generations' autoencoders are; what is done to its latents differs. */
abstract class PictureAutoencoder extends nn.Module implements Autoencoder {
  readonly encoder: PictureEncoder;
  readonly decoder: PictureDecoder;

  readonly #levels: number;

  constructor({ pictureChannels = 3, groups = 32, decoderChannels, ...rest }: AutoencoderOptions) {
    super();
    this.#levels = rest.multipliers.length - 1;
    const sizes = { quantConvolutions: false, ...rest, pictureChannels, groups };
    this.encoder = new PictureEncoder(sizes);
    this.decoder = new PictureDecoder({ ...sizes, channels: decoderChannels ?? sizes.channels });
  }

  abstract readonly latentChannels: number;
  abstract readonly factor: number;
  abstract encode(pictures: Tensor, options?: EncodeOptions): Tensor;
  abstract decode(latents: Tensor): Tensor;

  /** Mean and log variance of the raw latents, `[B, 2z, H / f, W / f]`. */
  moments(pictures: Tensor): Tensor {
    const [height, width] = pictures.shape.slice(-2);
    if (height % this.factor !== 0 || width % this.factor !== 0) {
      throw new RangeError(`a picture of ${width}×${height} pixels: both sides must be multiples of ${this.factor}`);
    }
    const atOnce = Math.max(1, Math.floor(PIXELS_AT_ONCE / (height * width)));
    return inParts(pictures, atOnce, (some) => this.encoder.forward(some.to(this.dtype)));
  }

  /** Raw latents `[B, z, h, w]` to pictures. */
  protected draw(latents: Tensor): Tensor {
    const [height, width] = latents.shape.slice(-2).map((side) => side * 2 ** this.#levels);
    const atOnce = Math.max(1, Math.floor(PIXELS_AT_ONCE / (height * width)));
    return inParts(latents, atOnce, (some) => this.decoder.forward(some.to(this.dtype)));
  }

  /** That of the weights, which inputs are brought to. */
  protected get dtype(): DType {
    return this.encoder.conv_in.weight.dtype;
  }

  /** As `decode`, for pictures whose maps do not fit into memory as a whole; see {@link decodeInTiles}. */
  decodeTiled(latents: Tensor, options: TileOptions = {}): Tensor {
    return decodeInTiles((part) => this.decode(part), latents, { ...options, factor: this.factor });
  }
}

/** FLUX.1's autoencoder (flux/modules/autoencoder.py), by Black Forest Labs' keys. */
export class FluxAutoencoder extends PictureAutoencoder {
  readonly latentChannels: number;
  readonly factor: number;
  readonly #scale: number;
  readonly #shift: number;

  constructor({ scale, shift, ...network }: FluxAutoencoderOptions) {
    super(network);
    this.#scale = scale;
    this.#shift = shift;
    this.latentChannels = network.latentChannels;
    this.factor = 2 ** (network.multipliers.length - 1);
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
    return scope(() => this.draw(latents.div(this.#scale).add(this.#shift)));
  }
}

/** Side of the square of raw latents that FLUX.2's autoencoder joins into one. */
const PATCH = 2;

/** Mean and variance of FLUX.2's latents over its training pictures, by the keys of a BatchNorm without factors. */
class LatentStatistics extends nn.Module {
  readonly running_mean: Tensor;
  readonly running_var: Tensor;

  constructor(channels: number) {
    super();
    this.running_mean = scope(() => nn.buffer(zeros([channels])));
    this.running_var = scope(() => nn.buffer(ones([channels])));
  }

  /** Mean and deviation, `[1, C, 1, 1]` float32. */
  moments(): [mean: Tensor, deviation: Tensor] {
    const [mean, variance] = [this.running_mean, this.running_var].map((values) => values.float().view([1, -1, 1, 1]));
    return [mean, variance.add(1e-4).sqrt()];
  }
}

/**
 * FLUX.2's autoencoder (flux2/autoencoder.py), by Black Forest Labs' keys: 2×2 raw latents become one of four times
 * the channels, and are brought to mean 0 and variance 1. A picture's latents are the mean; they are never drawn.
 */
export class Flux2Autoencoder extends PictureAutoencoder {
  readonly latentChannels: number;
  readonly factor: number;
  readonly bn: LatentStatistics;

  constructor(network: AutoencoderOptions) {
    super({ quantConvolutions: true, ...network });
    this.latentChannels = network.latentChannels * PATCH ** 2;
    this.factor = 2 ** (network.multipliers.length - 1) * PATCH;
    this.bn = new LatentStatistics(this.latentChannels);
  }

  encode(pictures: Tensor): Tensor {
    return scope(() => {
      const [z] = this.moments(pictures).chunk(2, 1);
      const [mean, deviation] = this.bn.moments();
      return F.pixelUnshuffle(z, PATCH).sub(mean).div(deviation).to(z.dtype);
    });
  }

  decode(latents: Tensor): Tensor {
    return scope(() => {
      const [mean, deviation] = this.bn.moments();
      return this.draw(F.pixelShuffle(latents.mul(deviation).add(mean), PATCH));
    });
  }
}
