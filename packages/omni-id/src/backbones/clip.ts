import { cat, nn, randn, scope, type Tensor, tensor } from "@omni-id/torch";
import type { Backbone } from "./backbone.ts";
import { ClipLayers, type ClipTowerOptions } from "./clip-layers.ts";

export interface ClipVisionOptions extends ClipTowerOptions {
  imageSize: number;
  patchSize: number;
  /** Channels of the embedding shared with text; no projection when absent. */
  projection?: number;
}

/** CLIP-H/14 (laion/CLIP-ViT-H-14-laion2B-s32B-b79K), the paper's image features. */
export const CLIP_H: ClipVisionOptions = {
  imageSize: 224,
  patchSize: 14,
  width: 1280,
  layers: 32,
  heads: 16,
  mlp: 5120,
  activation: "gelu",
  projection: 1024,
};

/** Pixel mean and deviation that CLIP was trained with, for values 0…1. */
const MEAN = [0.48145466, 0.4578275, 0.40821073];
const DEVIATION = [0.26862954, 0.26130258, 0.27577711];

class VisionEmbeddings extends nn.Module {
  readonly class_embedding: Tensor;
  readonly patch_embedding: nn.Conv2d;
  readonly position_embedding: nn.Embedding;

  constructor({ width, imageSize, patchSize }: ClipVisionOptions) {
    super();
    this.class_embedding = scope(() => nn.parameter(randn([width])));
    this.patch_embedding = new nn.Conv2d({ in: 3, out: width, kernel: patchSize, stride: patchSize, bias: false });
    this.position_embedding = new nn.Embedding({ num: (imageSize / patchSize) ** 2 + 1, dim: width });
  }

  /** `[B, 3, S, S] → [B, 1 + patches, W]`; the class token comes first. */
  forward(pixels: Tensor): Tensor {
    return scope(() => {
      const patches = this.patch_embedding.forward(pixels).flatten(2).transpose(1, 2);
      const first = this.class_embedding.to(patches.dtype).expand([pixels.shape[0], 1, -1]);
      return cat([first, patches], 1).add(this.position_embedding.weight);
    });
  }
}

class VisionTransformer extends nn.Module {
  readonly embeddings: VisionEmbeddings;
  /** The upstream name, misspelt there. */
  readonly pre_layrnorm: nn.LayerNorm;
  readonly encoder: ClipLayers;
  readonly post_layernorm: nn.LayerNorm;

  constructor(options: ClipVisionOptions) {
    super();
    this.embeddings = new VisionEmbeddings(options);
    this.pre_layrnorm = new nn.LayerNorm({ size: options.width });
    this.encoder = new ClipLayers(options);
    this.post_layernorm = new nn.LayerNorm({ size: options.width });
  }

  forward(pixels: Tensor): Tensor {
    return scope(() => this.encoder.forward(this.pre_layrnorm.forward(this.embeddings.forward(pixels))));
  }
}

/**
 * CLIP's image encoder, by the keys of Hugging Face's `CLIPVisionModelWithProjection`.
 * Pixels are normalised by the caller (see {@link ClipBackbone}).
 */
export class ClipVisionModel extends nn.Module {
  readonly vision_model: VisionTransformer;
  readonly visual_projection: nn.Linear | undefined;

  constructor(options: ClipVisionOptions) {
    super();
    this.vision_model = new VisionTransformer(options);
    if (options.projection) {
      this.visual_projection = new nn.Linear({ in: options.width, out: options.projection, bias: false });
    }
  }

  /** All tokens of the last layer, not normed: `[B, 3, S, S] → [B, 1 + patches, W]`. */
  forward(pixels: Tensor): Tensor {
    return this.vision_model.forward(pixels);
  }

  /** The embedding shared with text, `[B, projection]`. @throws without a projection */
  embed(lastHiddenState: Tensor): Tensor {
    const projection = this.visual_projection;
    if (!projection) throw new Error("this CLIP was built without a projection");
    return scope(() => projection.forward(this.vision_model.post_layernorm.forward(lastHiddenState.select(1, 0))));
  }
}

/** Image tokens of a photo: one a patch, and the class token. */
export const clipTokens = ({ imageSize, patchSize }: { imageSize: number; patchSize: number }): number =>
  Math.floor(imageSize / patchSize) ** 2 + 1;

const asColumn = (values: readonly number[]) => scope(() => tensor(values).view([3, 1, 1]));

/** Photos in [−1, 1] as CLIP's pixels: by the mean and deviation of what it was trained with. */
export function asClipSees(photos: Tensor): Tensor {
  return scope(() => {
    const [mean, deviation] = [MEAN, DEVIATION].map((values) => asColumn(values).to(photos.device));
    return photos.add(1).div(2).sub(mean).div(deviation);
  });
}

/** The paper's f(·): CLIP-H's tokens of the last layer, all layers trainable: its maps are the photos as they are. */
export class ClipBackbone extends nn.Module implements Backbone {
  readonly width: number;
  readonly tokens: number;
  /** CLIP's class token stands first and is asked like the others; none is carried. */
  readonly classTokens = 0;
  readonly grid: { first: number; side: number };
  readonly inputSize: number;
  readonly crop = "aligned";
  readonly mapsArePhotos = true;
  readonly fingerprint: string;
  readonly clip: ClipVisionModel;

  constructor(options: ClipVisionOptions) {
    super();
    this.clip = new ClipVisionModel(options);
    this.width = options.width;
    const side = options.imageSize / options.patchSize;
    this.grid = { first: 1, side };
    this.tokens = side ** 2 + 1;
    this.inputSize = options.imageSize;
    this.fingerprint = `photos of ${options.imageSize} px, aligned, as bytes`;
  }

  maps(photos: Tensor): Tensor {
    return photos.detach();
  }

  /** Photos `[B, 3, S, S]` in [−1, 1] to `[B, 1 + patches, W]`. */
  fromMaps(photos: Tensor): Tensor {
    return scope(() => this.clip.forward(asClipSees(photos)));
  }

  forward(photos: Tensor): Tensor {
    return this.fromMaps(photos);
  }

  pretrained(): Tensor[] {
    return this.clip.parameters();
  }
}
