import type { RgbImage } from "@omni-id/face";
import { noGrad, scope, type Tensor, tensor } from "@omni-id/torch";
import { type MaskedDecoder, putTokens, takeTokens } from "./masked-decoder.ts";
import { HiddenFace, type HiddenFaceOptions } from "./pictures/hidden-face.ts";
import { patchify, unpatchify } from "./pictures/patches.ts";
import { toTargetTokens } from "./pictures/target-tokens.ts";

export interface MaskedTargetOptions extends Omit<HiddenFaceOptions, "patchSize"> {
  decoder: MaskedDecoder;
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
  readonly #face: HiddenFace;
  readonly #decoder: MaskedDecoder;

  constructor(image: RgbImage, landmarks: Float32Array, { decoder, ...options }: MaskedTargetOptions) {
    const face = new HiddenFace(image, landmarks, { ...options, patchSize: decoder.patchSize });
    this.#face = face;
    this.#decoder = decoder;
    this.truth = this.#picture(face.truth).keep();
    this.mask = scope(() => tensor(face.mask, { shape: [1, 1, face.side, face.side] }).float()).keep();
    this.points = tensor(face.points, { shape: [1, 5, 2] }).keep();
  }

  /** What the decoder is shown; grey elsewhere, `[1, 3, S, S]`. */
  visible(): Tensor {
    return this.#picture(this.#face.visible());
  }

  /** The face as `identity [L, C]` would look there; every pixel inside the mask is the decoder's, `[1, 3, S, S]`. */
  reconstruct(identity: Tensor): Tensor {
    return scope(() => {
      const { index, visible } = toTargetTokens([this.#face.tokens]);
      return drawHidden(this.#decoder, { truth: this.truth, index, visible, identity: identity.unsqueeze(0) });
    });
  }

  /** A reconstruction with the target around the face, for pictures. */
  paste(made: Tensor): Tensor {
    return this.#picture(this.#face.paste(made.toTypedArray() as Float32Array));
  }

  /** Mean absolute difference inside the face, pixels in 0…1. */
  l1(made: Tensor): number {
    return this.#face.l1(made.toTypedArray() as Float32Array);
  }

  #picture(planes: Float32Array): Tensor {
    const { side } = this.#face;
    return tensor(planes, { shape: [1, 3, side, side] });
  }
}

export interface HiddenInput {
  /** Aligned faces, `[B, 3, S, S]` in [−1, 1]. */
  truth: Tensor;
  /** Tokens to decode, `[B, K]` int64, and which of them are shown, `[B, K]` bool. */
  index: Tensor;
  visible: Tensor;
  /** ℓ, `[B, L, C]`. */
  identity: Tensor;
}

/** Hidden faces drawn from identities; grey where nothing was asked for, `[B, 3, S, S]`. */
export function drawHidden(decoder: MaskedDecoder, { truth, index, visible, identity }: HiddenInput): Tensor {
  return scope(() =>
    noGrad(() => {
      const patches = patchify(truth, decoder.patchSize);
      const decoded = decoder.forward(takeTokens(patches, index), { index, visible }, identity);
      return unpatchify(putTokens(decoded, index, patches.shape[1]), decoder.patchSize).clamp(-1, 1);
    }),
  );
}
