import { nn, scope, type Tensor } from "@omni-id/torch";
import type { Backbone } from "../backbones/backbone.ts";
import type { PhotosEnter, Representation } from "./representation.ts";

export interface ImageTokensOptions {
  backbone: Backbone;
  photos: PhotosEnter;
}

/**
 * The CLIP baseline (section 4.1): all tokens of the image network, as they are (CLIP-H: 257 × 1280), only normed. With
 * the recogniser as backbone the same code gives the row "backbone": the encoder's own input without the encoder.
 */
export class ImageTokensRepresentation extends nn.Module implements Representation {
  readonly backbone: Backbone;
  readonly identityShape: [number, number];
  readonly carriedTokens = 0;
  readonly wantsFeatures = false;
  readonly photos: PhotosEnter;
  readonly norm: nn.LayerNorm;

  constructor({ backbone, photos }: ImageTokensOptions) {
    super();
    this.backbone = backbone;
    this.identityShape = [backbone.tokens, backbone.width];
    this.photos = photos;
    this.norm = new nn.LayerNorm({ size: backbone.width });
  }

  fromTokens(z: Tensor): Tensor {
    return scope(() => {
      const tokens = this.photos === "mean" ? z.unflatten(1, [-1, this.backbone.tokens]).mean([1]) : z;
      return this.norm.forward(tokens);
    });
  }
}
