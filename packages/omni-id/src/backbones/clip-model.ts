import { F, nn, scope, type Tensor, tensor } from "@omni-id/torch";
import { ClipVisionModel, type ClipVisionOptions } from "./clip.ts";
import { ClipTextModel, type ClipTextOptions } from "./clip-text.ts";

export interface ClipModelOptions {
  vision: ClipVisionOptions;
  text: ClipTextOptions;
  /** Channels of the embedding that pictures and texts share. */
  projection: number;
}

/** The temperature that CLIP begins with, 0.07, and the sharpest that it may learn (Radford et al. 2021, 2.5). */
const [FIRST_SCALE, MOST_SCALE] = [Math.log(1 / 0.07), Math.log(100)];

/** Both towers of a CLIP, by the keys of Hugging Face's `CLIPModel`. */
export class ClipModel extends nn.Module {
  readonly vision_model: ClipVisionModel["vision_model"];
  readonly visual_projection: nn.Linear;
  readonly text_model: ClipTextModel["text_model"];
  readonly text_projection: nn.Linear;
  readonly logit_scale: Tensor;
  readonly #vision: ClipVisionModel;
  readonly #text: ClipTextModel;

  constructor({ vision, text, projection }: ClipModelOptions) {
    super();
    this.#vision = new ClipVisionModel({ ...vision, projection });
    this.#text = new ClipTextModel({ ...text, projection });
    this.vision_model = this.#vision.vision_model;
    this.visual_projection = this.#vision.visual_projection as nn.Linear;
    this.text_model = this.#text.text_model;
    this.text_projection = this.#text.text_projection as nn.Linear;
    this.logit_scale = scope(() => nn.parameter(tensor(FIRST_SCALE)));
  }

  /** Pictures `[B, 3, S, S]`, normalised as CLIP wants them, to embeddings of length 1, `[B, P]`. */
  images(pixels: Tensor): Tensor {
    return scope(() => F.normalize(this.#vision.embed(this.#vision.forward(pixels)), { dim: 1 }));
  }

  /** Token ids `[B, N]` int64, the end of each text having the highest, to embeddings of length 1, `[B, P]`. */
  texts(ids: Tensor): Tensor {
    return scope(() => F.normalize(this.#text.forward(ids), { dim: 1 }));
  }

  /** Cosines times the learnt scale, `[pictures, texts]`. */
  logits(images: Tensor, texts: Tensor): Tensor {
    return scope(() => images.matmul(texts.t()).mul(this.logit_scale.clampMax(MOST_SCALE).exp()));
  }
}

/** Each picture is to find its own text among all, and each text its picture. @param logits `[B, B]`, pairs on the diagonal */
export function contrastiveLoss(logits: Tensor): Tensor {
  const own = tensor([...Array(logits.shape[0]).keys()], { dtype: "int64", device: logits.device });
  return F.crossEntropy(logits, own).add(F.crossEntropy(logits.t(), own)).div(2);
}
