import { nn, scope, type Tensor } from "@omni-id/torch";
import type { Backbone } from "../backbones/backbone.ts";
import { Block } from "../blocks.ts";
import { repeat } from "../repeat.ts";
import { meanFeature } from "./arcface.ts";
import { FEATURE_WIDTH, type PhotosEnter, type Representation } from "./representation.ts";

export interface ArcFaceClipOptions {
  backbone: Backbone;
  /** L and C, as ℓ has them. */
  tokens: number;
  width: number;
  crossBlocks: number;
  selfBlocks: number;
  headWidth: number;
  photos: PhotosEnter;
}

/**
 * The ArcFace + CLIP baseline (section 4.1), after IP-Adapter's FaceID-Plus (`ProjPlusModel`): the recogniser's feature
 * is projected to the queries, the image tokens give keys and values, through the same blocks as the encoder's.
 */
export class ArcFaceClipRepresentation extends nn.Module implements Representation {
  readonly backbone: Backbone;
  readonly identityShape: [number, number];
  readonly carriedTokens = 0;
  readonly wantsFeatures = true;
  readonly photos: PhotosEnter;
  readonly proj: nn.Linear;
  readonly norm_query: nn.LayerNorm;
  readonly cross_blocks: Block[];
  readonly self_blocks: Block[];
  readonly norm: nn.LayerNorm;

  constructor({ backbone, tokens, width, crossBlocks, selfBlocks, headWidth, photos }: ArcFaceClipOptions) {
    super();
    this.backbone = backbone;
    this.identityShape = [tokens, width];
    this.photos = photos;
    this.proj = new nn.Linear({ in: FEATURE_WIDTH, out: tokens * width });
    this.norm_query = new nn.LayerNorm({ size: width });
    this.cross_blocks = repeat(crossBlocks, () => new Block({ width, context: backbone.width, headWidth }));
    this.self_blocks = repeat(selfBlocks, () => new Block({ width, headWidth }));
    this.norm = new nn.LayerNorm({ size: width });
  }

  /** Joined: each photo's feature asks its own tokens. Mean: the mean feature asks the tokens of all photos. */
  fromTokens(z: Tensor, features: Tensor): Tensor {
    return scope(() => {
      const [batch, photos] = features.shape;
      if (this.photos === "mean") return this.#ask(meanFeature(features).squeeze(1), z);
      const each = this.#ask(features.flatten(0, 1), z.reshape([batch * photos, -1, z.shape[2]]));
      return each.reshape([batch, -1, each.shape[2]]);
    });
  }

  /** Features `[B, 512]` and the tokens they ask, `[B, S, W]`, to `[B, L, C]`. */
  #ask(features: Tensor, z: Tensor): Tensor {
    const queries = this.proj.forward(features.mul(Math.sqrt(FEATURE_WIDTH))).unflatten(1, this.identityShape);
    let l = this.norm_query.forward(queries);
    for (const block of this.cross_blocks) l = block.forward(l, z);
    for (const block of this.self_blocks) l = block.forward(l);
    return this.norm.forward(l);
  }
}
