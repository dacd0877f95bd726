import { nn, scope, type Tensor } from "@omni-id/torch";
import type { Backbone } from "../backbones/backbone.ts";
import { FEATURE_WIDTH, type PhotosEnter, type Representation } from "./representation.ts";

export interface ArcFaceOptions {
  /** Stands by: prepared photos carry its tokens, which this representation does not look at. */
  backbone: Backbone;
  /** Tokens and channels that a feature is projected to (paper: 256 × 512). */
  tokens: number;
  width: number;
  photos: PhotosEnter;
}

/**
 * The ArcFace baseline (section 4.1): the recogniser's feature, projected to as many tokens as ℓ has, as IP-Adapter
 * projects an image embedding (tencent-ailab/IP-Adapter, `ImageProjModel`).
 */
export class ArcFaceRepresentation extends nn.Module implements Representation {
  readonly backbone: Backbone;
  readonly identityShape: [number, number];
  readonly carriedTokens = 0;
  readonly wantsFeatures = true;
  readonly photos: PhotosEnter;
  readonly proj: nn.Linear;
  readonly norm: nn.LayerNorm;

  constructor({ backbone, tokens, width, photos }: ArcFaceOptions) {
    super();
    this.backbone = backbone;
    this.identityShape = [tokens, width];
    this.photos = photos;
    this.proj = new nn.Linear({ in: FEATURE_WIDTH, out: tokens * width });
    this.norm = new nn.LayerNorm({ size: width });
  }

  fromTokens(_z: Tensor, features: Tensor): Tensor {
    return scope(() => {
      const asked = this.photos === "mean" ? meanFeature(features) : features;
      // Elements of unit size: a feature has length 1.
      const tokens = this.proj.forward(asked.mul(Math.sqrt(FEATURE_WIDTH))).unflatten(2, this.identityShape);
      return this.norm.forward(tokens.flatten(1, 2));
    });
  }
}

/** Features `[B, M, 512]` to their mean of length 1, `[B, 1, 512]`. */
export function meanFeature(features: Tensor): Tensor {
  return scope(() => {
    const mean = features.mean([1], { keepdim: true });
    return mean.div(mean.square().sum([2], { keepdim: true }).add(1e-12).sqrt());
  });
}
