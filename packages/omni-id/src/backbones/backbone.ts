import type { nn, Tensor } from "@omni-id/torch";

/**
 * The image-feature network f(·) of section 3.1, in two halves: `maps` is the pretrained network, which a data set
 * needs to run through only once while it is frozen; `fromMaps` is what E trains from its first step on.
 */
export interface Backbone extends nn.Module {
  /** Channels of one image token. */
  readonly width: number;
  /** Image tokens of one photo. */
  readonly tokens: number;
  /** How many of these, the last ones, stand for the photo as a whole and may be carried into ℓ. */
  readonly classTokens: number;
  /** Side of the square input photo, in pixels. */
  readonly inputSize: number;
  /** Photos `[B, 3, S, S]` in [−1, 1] to the pretrained network's features `[B, tokens, channels]`. */
  maps(photos: Tensor): Tensor;
  /** Those features to image tokens `[B, tokens, width]`. */
  fromMaps(maps: Tensor): Tensor;
  /** `fromMaps(maps(photos))`: `[B, 3, S, S] → [B, tokens, width]`. */
  forward(photos: Tensor): Tensor;
}
