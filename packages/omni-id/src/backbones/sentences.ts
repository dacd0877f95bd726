import { nn, ones, randn, scope, type Tensor } from "@omni-id/torch";
import { PADDING, SPECIAL } from "../text/prompt-words.ts";
import { ClipLayers } from "./clip-layers.ts";
import { meanOfWords, type Prompts, VocabularyEncoder, type WordEncoderOptions } from "./words.ts";

export interface SentenceEncoderOptions extends WordEncoderOptions {
  width: number;
  layers: number;
  heads: number;
}

/**
 * A small transformer over the words of a prompt, trained with the base: it knows which word stands beside which, so that
 * "a red hat and a blue jumper" is another sentence than "a blue hat and a red jumper". Layers as in CLIP's text encoder,
 * but every word sees every other.
 */
export class SentenceEncoder extends VocabularyEncoder {
  readonly words: nn.Embedding;
  readonly positions: nn.Embedding;
  readonly encoder: ClipLayers;
  readonly final_layer_norm: nn.LayerNorm;
  readonly context: nn.Linear;
  readonly pooled: nn.Linear | undefined;

  constructor({ vocabulary, length, context, vector, width, layers, heads }: SentenceEncoderOptions) {
    super(length);
    this.words = new nn.Embedding({ num: vocabulary + SPECIAL, dim: width });
    this.positions = new nn.Embedding({ num: length, dim: width });
    scope(() => this.words.weight.detach().copy_(randn([vocabulary + SPECIAL, width]).mul(0.5)));
    scope(() => this.positions.weight.detach().copy_(randn([length, width]).mul(0.1)));
    this.encoder = new ClipLayers({ width, layers, heads, mlp: 4 * width, activation: "gelu" });
    this.final_layer_norm = new nn.LayerNorm({ size: width });
    this.context = new nn.Linear({ in: width, out: context });
    if (vector > 0) this.pooled = new nn.Linear({ in: width, out: vector });
  }

  fromNumbers(numbers: Tensor): Prompts {
    return scope(() => {
      const [batch, length] = numbers.shape;
      // The first place is always seen: an empty prompt is a sentence too, the one that guidance leads away from.
      const first = ones([length]).cumsum(0).eq(1);
      const seen = numbers.ne(PADDING).logicalOr(first).view([batch, 1, 1, length]);
      const start = this.words.forward(numbers).add(this.positions.weight.narrow(0, 0, length));
      const states = this.final_layer_norm.forward(this.encoder.forward(start, seen));
      const txt = this.context.forward(states);
      return this.pooled ? { txt, y: this.pooled.forward(meanOfWords(states, numbers)) } : { txt };
    });
  }
}
