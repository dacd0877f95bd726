import { KeyedRandom } from "@omni-id/data";
import type { RgbImage } from "@omni-id/face";
import { noGrad, scope, type Tensor, tensor } from "@omni-id/torch";
import { chooseTokens, type MaskedDecoder, putTokens, takeTokens } from "./masked-decoder.ts";
import { alignFace } from "./pictures/aligned.ts";
import { patchify, unpatchify } from "./pictures/patches.ts";
import { rgbBatch, toUnit } from "./pictures/rgb-batch.ts";
import { faceTokens, toTargetTokens } from "./pictures/target-tokens.ts";

export interface MaskedTargetOptions {
  decoder: MaskedDecoder;
  /** Side of the aligned crop, in pixels. */
  imageSize: number;
  maskRatio: number;
  /** Seed of the mask. */
  seed?: number;
}

/**
 * One face, 95 % hidden, that identities can be drawn into: what stays visible tells pose and light, the person comes
 * from the identity.
 */
export class MaskedTarget {
  /** The face, aligned, `[1, 3, S, S]` in [−1, 1]. */
  readonly truth: Tensor;
  /** 0 or 1, `[1, 1, S, S]`. */
  readonly mask: Tensor;
  /** Five landmarks in pixels of the crop, `[1, 5, 2]`. */
  readonly points: Tensor;
  readonly #options: Required<MaskedTargetOptions>;

  constructor(image: RgbImage, landmarks: Float32Array, { seed = 7, ...options }: MaskedTargetOptions) {
    const { crop, mask, points } = alignFace(image, landmarks, options.imageSize);
    this.#options = { seed, ...options };
    this.truth = scope(() => toUnit(rgbBatch([crop]))).keep();
    this.mask = scope(() =>
      tensor(
        mask.map((byte) => Number(byte > 127)),
        { shape: [1, 1, crop.height, crop.width] },
      ).float(),
    ).keep();
    this.points = tensor(points, { shape: [1, 5, 2] }).keep();
  }

  /** What the decoder is shown; grey elsewhere, `[1, 3, S, S]`. */
  visible(): Tensor {
    return scope(() => {
      const { patches, tokens } = this.#tokens();
      const shown = takeTokens(patches, tokens.index).mul(tokens.visible.unsqueeze(-1).float());
      return unpatchify(putTokens(shown, tokens.index, patches.shape[1]), this.#options.decoder.patchSize);
    });
  }

  /** The face as `identity [L, C]` would look there; every pixel inside the mask is the decoder's, `[1, 3, S, S]`. */
  reconstruct(identity: Tensor): Tensor {
    return scope(() =>
      noGrad(() => {
        const { decoder } = this.#options;
        const { patches, tokens } = this.#tokens();
        const decoded = decoder.forward(takeTokens(patches, tokens.index), tokens, identity.unsqueeze(0));
        return unpatchify(putTokens(decoded, tokens.index, patches.shape[1]), decoder.patchSize).clamp(-1, 1);
      }),
    );
  }

  /** A reconstruction with the target around the face, for pictures. */
  paste(made: Tensor): Tensor {
    return scope(() => made.mul(this.mask).add(this.truth.mul(this.mask.mul(-1).add(1))));
  }

  /** Mean absolute difference inside the face, pixels in 0…1. */
  l1(made: Tensor): number {
    return scope(
      () => made.sub(this.truth).abs().mul(this.mask).sum().item() / (6 * Math.max(1, this.mask.sum().item())),
    );
  }

  #tokens() {
    const { decoder, maskRatio, seed } = this.#options;
    const patches = patchify(this.truth, decoder.patchSize);
    const face = faceTokens(this.mask.squeeze(1).to("uint8"), decoder.patchSize);
    const shown = Math.round(face.length * (1 - maskRatio));
    const count = Math.min(face.length, face.reduce((sum, bit) => sum + bit, 0) + shown);
    return { patches, tokens: toTargetTokens([chooseTokens(new KeyedRandom(seed), face, { maskRatio, count })]) };
  }
}
