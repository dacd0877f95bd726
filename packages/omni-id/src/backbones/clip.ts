import { cat, F, nn, ones, randn, scope, type Tensor, tensor } from "@omni-id/torch";
import { repeat } from "../repeat.ts";
import type { Backbone } from "./backbone.ts";

export type Activation = "gelu" | "quick_gelu";

export interface ClipTowerOptions {
  width: number;
  layers: number;
  heads: number;
  mlp: number;
  activation: Activation;
}

export interface ClipVisionOptions extends ClipTowerOptions {
  imageSize: number;
  patchSize: number;
  /** Channels of the embedding shared with text; no projection when absent. */
  projection?: number;
}

export interface ClipTextOptions extends ClipTowerOptions {
  vocabulary: number;
  /** Longest text, in tokens. */
  length: number;
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

function activate(x: Tensor, activation: Activation): Tensor {
  return activation === "gelu" ? F.gelu(x) : x.mul(x.mul(1.702).sigmoid());
}

class ClipAttention extends nn.Module {
  readonly heads: number;
  readonly q_proj: nn.Linear;
  readonly k_proj: nn.Linear;
  readonly v_proj: nn.Linear;
  readonly out_proj: nn.Linear;

  constructor({ width, heads }: ClipTowerOptions) {
    super();
    this.heads = heads;
    this.q_proj = new nn.Linear({ in: width, out: width });
    this.k_proj = new nn.Linear({ in: width, out: width });
    this.v_proj = new nn.Linear({ in: width, out: width });
    this.out_proj = new nn.Linear({ in: width, out: width });
  }

  /** `[B, N, W] → [B, N, W]`; `mask` as in `nn.attention`. */
  forward(x: Tensor, mask?: Tensor): Tensor {
    return scope(() => {
      const [batch, tokens, width] = x.shape;
      const split = (t: Tensor) => t.view([batch, tokens, this.heads, width / this.heads]).transpose(1, 2);
      const [q, k, v] = [this.q_proj, this.k_proj, this.v_proj].map((layer) => split(layer.forward(x)));
      return this.out_proj.forward(nn.attention(q, k, v, { mask }).transpose(1, 2).reshape([batch, tokens, width]));
    });
  }
}

class ClipMlp extends nn.Module {
  readonly fc1: nn.Linear;
  readonly fc2: nn.Linear;
  readonly activation: Activation;

  constructor({ width, mlp, activation }: ClipTowerOptions) {
    super();
    this.activation = activation;
    this.fc1 = new nn.Linear({ in: width, out: mlp });
    this.fc2 = new nn.Linear({ in: mlp, out: width });
  }

  forward(x: Tensor): Tensor {
    return scope(() => this.fc2.forward(activate(this.fc1.forward(x), this.activation)));
  }
}

class ClipLayer extends nn.Module {
  readonly self_attn: ClipAttention;
  readonly layer_norm1: nn.LayerNorm;
  readonly mlp: ClipMlp;
  readonly layer_norm2: nn.LayerNorm;

  constructor(options: ClipTowerOptions) {
    super();
    this.self_attn = new ClipAttention(options);
    this.layer_norm1 = new nn.LayerNorm({ size: options.width });
    this.mlp = new ClipMlp(options);
    this.layer_norm2 = new nn.LayerNorm({ size: options.width });
  }

  forward(x: Tensor, mask?: Tensor): Tensor {
    return scope(() => {
      const attended = x.add(this.self_attn.forward(this.layer_norm1.forward(x), mask));
      return attended.add(this.mlp.forward(this.layer_norm2.forward(attended)));
    });
  }
}

class ClipLayers extends nn.Module {
  readonly layers: ClipLayer[];

  constructor(options: ClipTowerOptions) {
    super();
    this.layers = repeat(options.layers, () => new ClipLayer(options));
  }

  forward(x: Tensor, mask?: Tensor): Tensor {
    return scope(() => this.layers.reduce((y, layer) => layer.forward(y, mask), x));
  }
}

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

class TextEmbeddings extends nn.Module {
  readonly token_embedding: nn.Embedding;
  readonly position_embedding: nn.Embedding;

  constructor({ vocabulary, length, width }: ClipTextOptions) {
    super();
    this.token_embedding = new nn.Embedding({ num: vocabulary, dim: width });
    this.position_embedding = new nn.Embedding({ num: length, dim: width });
  }

  forward(ids: Tensor): Tensor {
    return scope(() => {
      const position = this.position_embedding.weight.narrow(0, 0, ids.shape[1]);
      return this.token_embedding.forward(ids).add(position);
    });
  }
}

class TextTransformer extends nn.Module {
  readonly embeddings: TextEmbeddings;
  readonly encoder: ClipLayers;
  readonly final_layer_norm: nn.LayerNorm;

  constructor(options: ClipTextOptions) {
    super();
    this.embeddings = new TextEmbeddings(options);
    this.encoder = new ClipLayers(options);
    this.final_layer_norm = new nn.LayerNorm({ size: options.width });
  }

  forward(ids: Tensor): Tensor {
    return scope(() => {
      const length = ids.shape[1];
      const causal = ones([length, length]).tril().bool();
      return this.final_layer_norm.forward(this.encoder.forward(this.embeddings.forward(ids), causal));
    });
  }
}

/** CLIP's text encoder, by the keys of Hugging Face's `CLIPTextModelWithProjection`; FLUX's pooled vector. */
export class ClipTextModel extends nn.Module {
  readonly text_model: TextTransformer;
  readonly text_projection: nn.Linear | undefined;

  constructor(options: ClipTextOptions) {
    super();
    this.text_model = new TextTransformer(options);
    if (options.projection) {
      this.text_projection = new nn.Linear({ in: options.width, out: options.projection, bias: false });
    }
  }

  /** Token ids `[B, N]` int64 to the state at the highest id (the end of text), `[B, W]`; projected where there is one. */
  forward(ids: Tensor): Tensor {
    return scope(() => {
      const states = this.text_model.forward(ids);
      const end = ids.argmax(1);
      const pooled = states.gather(1, end.view([-1, 1, 1]).expand([-1, 1, states.shape[2]])).squeeze(1);
      return this.text_projection ? this.text_projection.forward(pooled) : pooled;
    });
  }
}

/** The paper's f(·): CLIP-H's tokens of the last layer, all layers trainable. */
export class ClipBackbone extends nn.Module implements Backbone {
  readonly width: number;
  readonly tokens: number;
  readonly inputSize: number;
  readonly clip: ClipVisionModel;
  readonly #mean: Tensor;
  readonly #deviation: Tensor;

  constructor(options: ClipVisionOptions) {
    super();
    this.clip = new ClipVisionModel(options);
    this.width = options.width;
    this.tokens = (options.imageSize / options.patchSize) ** 2 + 1;
    this.inputSize = options.imageSize;
    this.#mean = scope(() => tensor(MEAN).view([3, 1, 1])).keep();
    this.#deviation = scope(() => tensor(DEVIATION).view([3, 1, 1])).keep();
  }

  /** Photos `[B, 3, S, S]` in [−1, 1] to `[B, 1 + patches, W]`. */
  maps(photos: Tensor): Tensor {
    return scope(() => {
      const device = photos.device;
      const unit = photos.add(1).div(2);
      return this.clip.forward(unit.sub(this.#mean.to(device)).div(this.#deviation.to(device)));
    });
  }

  /** CLIP's tokens are image tokens as they are. */
  fromMaps(maps: Tensor): Tensor {
    return maps;
  }

  forward(photos: Tensor): Tensor {
    return this.maps(photos);
  }
}
