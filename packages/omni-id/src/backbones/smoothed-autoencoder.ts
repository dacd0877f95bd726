import { scope, type Tensor } from "@omni-id/torch";
import { PictureDecoder } from "./autoencoder-blocks.ts";
import { LinearAutoencoder, type LinearAutoencoderOptions } from "./linear-autoencoder.ts";

export interface SmoothedAutoencoderOptions extends LinearAutoencoderOptions {
  /** Sizes of FLUX's decoder that draws over what the directions give. */
  decoder: {
    /** Channels of the level with the picture's size. */
    channels: number;
    /** Channels of each level over those of the first; each level but the last halves the picture. */
    multipliers: readonly number[];
    resBlocks: number;
    /** Groups of the GroupNorms. */
    groups: number;
  };
}

/**
 * Principal directions of patches whose pictures a small network sees once more, all patches together: it adds what the
 * directions left out and mends the seams between neighbours. Latents are those of {@link LinearAutoencoder}, coarse
 * directions before fine ones, and need no training; a flow model of them can be trained before the decoder, or after.
 */
export class SmoothedAutoencoder extends LinearAutoencoder {
  /** FLUX's (flux/modules/autoencoder.py), by its keys. */
  readonly decoder: PictureDecoder;

  /** @throws when the decoder's levels do not make a patch of a latent */
  constructor({ decoder, ...linear }: SmoothedAutoencoderOptions) {
    super(linear);
    const factor = 2 ** (decoder.multipliers.length - 1);
    if (factor !== linear.patchSize) {
      throw new RangeError(
        `flow.latents.decoder.multipliers: ${decoder.multipliers.length} levels make ${factor} pixels of a latent, and a patch has ${linear.patchSize}`,
      );
    }
    this.decoder = new PictureDecoder({
      ...decoder,
      latentChannels: linear.channels,
      pictureChannels: 3,
      quantConvolutions: false,
    });
    // What is drawn first is what the directions give.
    const { weight, bias } = this.decoder.conv_out;
    scope(() => {
      for (const parameter of [weight, bias]) parameter?.detach().zero_();
    });
  }

  override decode(latents: Tensor): Tensor {
    return scope(() => super.decode(latents).add(this.decoder.forward(latents.to(this.decoder.conv_in.weight.dtype))));
  }
}
