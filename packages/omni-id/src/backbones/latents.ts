import type { nn, Tensor } from "@omni-id/torch";

/** An autoencoder as the flow model sees it: pictures in, latents out, and back. */
export interface LatentSpace extends nn.Module {
  /** Channels of a latent. */
  readonly channels: number;
  /** Pixels along one side of a latent. */
  readonly reduction: number;
  /** Pictures `[B, 3, S, S]` in [−1, 1] → latents `[B, channels, S / reduction, S / reduction]`, of about unit size. */
  encode(pictures: Tensor): Tensor;
  /** The inverse: `[B, channels, h, w] → [B, 3, h · reduction, w · reduction]`. */
  decode(latents: Tensor): Tensor;
}
