import type { nn, Tensor } from "@omni-id/torch";
import type { FaceCut } from "../pictures/face-input.ts";

/**
 * The image-feature network f(·) of section 3.1, in two halves: `maps` is what stays as it is, so that a data set needs
 * to run through it only once; `fromMaps` is what is trained. Of CLIP all is trained, and its maps are the photos.
 */
export interface Backbone extends nn.Module, FaceCut {
  /** Channels of one image token. */
  readonly width: number;
  /** Image tokens of one photo. */
  readonly tokens: number;
  /** How many of these, the last ones, stand for the photo as a whole and may be carried into ℓ. */
  readonly classTokens: number;
  /** The tokens that have a place in the photo: `side × side` of them, row by row, from token `first` on. */
  readonly grid: { readonly first: number; readonly side: number };
  /** What the maps are computed by: caches of them are named by it. */
  readonly fingerprint: string;
  /** Nothing is computed ahead: pictures are kept as they are, as bytes. */
  readonly mapsArePhotos?: boolean;
  /** Photos `[B, 3, S, S]` in [−1, 1] to what is computed once, `[B, …]`, without gradient. */
  maps(photos: Tensor): Tensor;
  /** That to image tokens `[B, tokens, width]`. */
  fromMaps(maps: Tensor): Tensor;
  /** `fromMaps(maps(photos))`: `[B, 3, S, S] → [B, tokens, width]`. */
  forward(photos: Tensor): Tensor;
  /** Parameters that came with pretrained weights: they learn at a share of the rate. */
  pretrained(): Tensor[];
  /** Fits the scale of the maps to a sample of the training people's, `[N, …]`, where a backbone has one. */
  standardise?(sample: Tensor): void;
}
