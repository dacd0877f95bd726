import type { nn, Tensor } from "@omni-id/torch";
import type { Backbone } from "../backbones/backbone.ts";

/**
 * What stands for a person in the comparisons of section 4.1: from photos to the tokens that the flow decoder is told.
 * The Omni-ID encoder is one of them; the others are the paper's baselines.
 */
export interface Representation extends nn.Module {
  /** The image-feature network that photos go through first. */
  readonly backbone: Backbone;
  /** Shape of what one photo gives, `[L, C]`. Where photos' tokens are joined, M photos give `[M · L, C]`. */
  readonly identityShape: [number, number];
  /** Tokens, the first ones, that carry the backbone's own feature. */
  readonly carriedTokens: number;
  /** Whether it asks for the recogniser's features beside the image tokens. */
  readonly wantsFeatures: boolean;
  /**
   * Photos of each person to the tokens of that person, `[B, L, C]`.
   * @param z image tokens of the backbone, photo after photo, `[B, M · tokens, W]`
   * @param features the recogniser's feature of each photo, of length 1, `[B, M, 512]`
   */
  fromTokens(z: Tensor, features?: Tensor): Tensor;
}

/** How several photos enter a representation that is made for one: their tokens side by side, or the mean of them. */
export type PhotosEnter = "joined" | "mean";

/** Channels of the recogniser's feature. */
export const FEATURE_WIDTH = 512;
