import { nn, ones, scope, type Tensor } from "@omni-id/torch";
import { ClipLayers, type ClipTowerOptions } from "./clip-layers.ts";

export interface ClipTextOptions extends ClipTowerOptions {
  vocabulary: number;
  /** Longest text, in tokens. */
  length: number;
  projection?: number;
}

/** CLIP-L/14's text encoder (openai/clip-vit-large-patch14), which gives FLUX its pooled vector. */
export const CLIP_L_TEXT: ClipTextOptions = {
  vocabulary: 49_408,
  length: 77,
  width: 768,
  layers: 12,
  heads: 12,
  mlp: 3072,
  activation: "quick_gelu",
};

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
