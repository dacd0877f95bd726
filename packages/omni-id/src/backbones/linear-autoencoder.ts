import { F, nn, noGrad, op, scope, type Tensor, zeros } from "@omni-id/torch";
import { patchify, unpatchify } from "../pictures/patches.ts";
import type { Autoencoder } from "./autoencoder.ts";

export interface LinearAutoencoderOptions {
  /** Side of a patch, in pixels: one latent. */
  patchSize: number;
  /** Principal directions kept. */
  channels: number;
}

/**
 * The nano preset's autoencoder: a patch of pixels becomes its coordinates along the principal directions of the
 * training people's patches. No training, no blur beyond what the directions left out lose, and both ways are one
 * matrix product. Half whitened: a coordinate is divided by the square root of its deviation, so that fine directions
 * count, but less than coarse ones.
 */
export class LinearAutoencoder extends nn.Module implements Autoencoder {
  readonly latentChannels: number;
  readonly factor: number;
  /** Mean patch, `[3·p·p]`. */
  readonly mean: Tensor;
  /** Orthonormal rows, `[channels, 3·p·p]`. */
  readonly directions: Tensor;
  /** What a coordinate is divided by, `[channels]`. */
  readonly scale: Tensor;

  constructor({ patchSize, channels }: LinearAutoencoderOptions) {
    super();
    const values = 3 * patchSize * patchSize;
    if (channels > values) throw new RangeError(`a patch of ${values} values has no ${channels} principal directions`);
    this.latentChannels = channels;
    this.factor = patchSize;
    this.mean = scope(() => nn.buffer(zeros([values])));
    this.directions = scope(() => nn.buffer(zeros([channels, values])));
    this.scale = scope(() => nn.buffer(zeros([channels]).add(1)));
  }

  /** Sets the directions from training pictures `[N, 3, S, S]` in [−1, 1]. */
  fit(pictures: Tensor): void {
    scope(() =>
      noGrad(() => {
        const patches = patchify(pictures, this.factor).flatten(0, 1).double();
        const mean = patches.mean([0]);
        const centred = patches.sub(mean);
        const covariance = centred.transpose(0, 1).matmul(centred).div(patches.shape[0]);
        // Ascending eigenvalues; the largest ones are the last rows.
        const [values, vectors] = op("aten::linalg_eigh")(covariance, "L") as [Tensor, Tensor];
        const from = values.shape[0] - this.latentChannels;
        const deviation = values.narrow(0, from, this.latentChannels).clampMin(1e-12).sqrt();
        const half = deviation.sqrt();
        // One factor on all, so that a coordinate's mean square is 1, as the noise's is.
        const size = deviation.div(half).square().mean().sqrt();
        this.mean.copy_(mean);
        this.directions.copy_(vectors.narrow(1, from, this.latentChannels).transpose(0, 1));
        this.scale.copy_(half.mul(size));
      }),
    );
  }

  encode(pictures: Tensor): Tensor {
    return scope(() => {
      const [, , height, width] = pictures.shape;
      const patches = patchify(pictures, this.factor).sub(this.mean);
      const tokens = F.linear(patches, this.directions).div(this.scale);
      return unpatchify(tokens, 1, [height / this.factor, width / this.factor]);
    });
  }

  decode(latents: Tensor): Tensor {
    return this.fromDirections(latents);
  }

  /** What the directions alone draw, each patch for itself. */
  fromDirections(latents: Tensor): Tensor {
    return scope(() => {
      const [, , height, width] = latents.shape;
      const tokens = patchify(latents, 1).mul(this.scale);
      return unpatchify(tokens.matmul(this.directions).add(this.mean), this.factor, [height, width]);
    });
  }
}
