import { modelFile, recogniserModel } from "@omni-id/face";
import {
  cat,
  F,
  importOnnx,
  nn,
  noGrad,
  type OnnxModule,
  ones,
  randn,
  scope,
  type Tensor,
  zeros,
} from "@omni-id/torch";
import type { Backbone } from "./backbone.ts";

export interface RecogniserBackboneOptions {
  /** Channels of the image tokens that the encoder asks. */
  width: number;
  /** Train the part of the network between the middle and the last map along with the encoder. */
  trainTail?: boolean;
}

/** Names of the values inside the recogniser's ONNX graph: 128×14×14 and 512×7×7. */
export const MIDDLE = "471";
export const LAST = "507";
const GRID = 7;
/** Channels of the recogniser's feature. */
const FEATURE = 512;

/**
 * The nano preset's f(·): the pretrained recogniser (a MobileFaceNet trained on real photographs, 112 px ArcFace
 * crops). Its middle map keeps what a face looks like, its last one whose it is. Both become one 7×7 grid of
 * tokens: the middle map's 2×2 neighbours are joined along the channels. Behind the grid stands the recogniser's own
 * feature, as it is, cut into tokens: what CLIP has its class token for.
 */
export class RecogniserBackbone extends nn.Module implements Backbone {
  readonly inputSize = 112;
  readonly crop = "arcface";
  readonly tokens: number;
  readonly classTokens: number;
  readonly grid = { first: 0, side: GRID };
  readonly width: number;
  /** Features' mean and deviation over the training people, `[1024]`; see {@link standardise}. */
  readonly mean: Tensor;
  readonly deviation: Tensor;
  readonly project: nn.Linear;
  readonly position: Tensor;
  /** The fine-tuned copy of the network, whose weights belong to the checkpoint; absent while it is frozen. */
  readonly tail: OnnxModule | undefined;
  /** The frozen network comes from the asset package and is no part of the state dict. */
  readonly #network: OnnxModule;

  private constructor(network: OnnxModule, tail: OnnxModule | undefined, width: number) {
    super();
    const channels = 4 * 128 + 512;
    this.#network = network;
    this.tail = tail;
    this.width = width;
    this.tokens = recogniserTokens(width);
    this.classTokens = this.tokens - GRID * GRID;
    this.mean = scope(() => nn.buffer(zeros([channels])));
    this.deviation = scope(() => nn.buffer(ones([channels])));
    this.project = new nn.Linear({ in: channels, out: width });
    this.position = scope(() => nn.parameter(randn([GRID * GRID, width]).mul(0.02)));
  }

  /** @throws when the recogniser's file is not in the asset cache */
  static load({ width, trainTail = false }: RecogniserBackboneOptions): RecogniserBackbone {
    const file = modelFile(recogniserModel);
    const tail = trainTail ? importOnnx(file, { trainable: true, between: { from: [MIDDLE], to: [LAST] } }) : undefined;
    return new RecogniserBackbone(importOnnx(file), tail, width);
  }

  get fingerprint(): string {
    return recogniserModel.sha256;
  }

  /** ArcFace crops `[B, 3, 112, 112]` in [−1, 1] to `[B, 49, 1024]`, without gradient. */
  maps(photos: Tensor): Tensor {
    return scope(() => this.describe(photos).maps);
  }

  /** The same, and the recogniser's own feature of each photo, of length 1: `[B, 49, 1024]` and `[B, 512]`. */
  describe(photos: Tensor): { maps: Tensor; feature: Tensor } {
    return scope(() =>
      noGrad(() => {
        const [input] = this.#network.inputs;
        const [output] = this.#network.outputs;
        const out = this.#network.run({ [input]: recogniserInput(photos) }, [MIDDLE, LAST, output]);
        return { maps: joinMaps(out[MIDDLE], out[LAST]), feature: F.normalize(out[output].float(), { dim: 1 }) };
      }),
    );
  }

  /** `[B, 49, 1024] → [B, 49 + classTokens, width]`. */
  fromMaps(maps: Tensor): Tensor {
    return scope(() => {
      const features = this.tail ? this.#refineLast(maps, this.tail) : maps.float();
      return this.fromFeatures(features, this.#featureOf(features));
    });
  }

  /** The same where the feature, of length 1, is known already: `[B, 49, 1024]`, `[B, 512] → [B, 49 + classTokens, width]`. */
  fromFeatures(features: Tensor, unit: Tensor): Tensor {
    return scope(() => {
      // Single channels of unusual photos reach 30 deviations: they must not drown the rest.
      const standard = features.sub(this.mean).div(this.deviation).clamp(-8, 8);
      const grid = this.project.forward(standard).add(this.position);
      const feature = unit.mul(Math.sqrt(FEATURE)); // elements of unit size
      const spare = this.classTokens * this.width - FEATURE;
      const whole = spare > 0 ? cat([feature, zeros([feature.shape[0], spare])], 1) : feature;
      return cat([grid, whole.unflatten(1, [this.classTokens, this.width]).to(grid.dtype)], 1);
    });
  }

  /** The recogniser's feature, of length 1, from its last map: `[B, 49, 1024] → [B, 512]`. */
  #featureOf(maps: Tensor): Tensor {
    const last = maps.narrow(-1, 512, 512).transpose(1, 2).unflatten(2, [GRID, GRID]);
    const [output] = this.#network.outputs;
    return F.normalize(this.#network.run({ [LAST]: last }, [output])[output].float(), { dim: 1 });
  }

  forward(photos: Tensor): Tensor {
    return scope(() => this.fromMaps(this.maps(photos)));
  }

  pretrained(): Tensor[] {
    return this.tail?.parameters() ?? [];
  }

  /** Sets mean and deviation from a sample of the training people's maps `[N, 49, 1024]`. */
  standardise(sample: Tensor): void {
    scope(() =>
      noGrad(() => {
        const rows = sample.float().flatten(0, 1);
        this.mean.copy_(rows.mean([0]));
        this.deviation.copy_(rows.std([0]).add(1e-3));
      }),
    );
  }

  #refineLast(maps: Tensor, tail: OnnxModule): Tensor {
    const half = maps.float();
    const middle = half.narrow(-1, 0, 512);
    const last = tail.run({ [MIDDLE]: splitNeighbours(middle) }, [LAST])[LAST];
    return cat([middle, last.float().flatten(2).transpose(1, 2)], -1);
  }
}

/** Image tokens of a photo, of so many channels: the grid's, and those that hold the feature. */
export const recogniserTokens = (width: number): number => GRID * GRID + Math.ceil(FEATURE / width);

/** Crops in [−1, 1] as the recogniser wants them: (x − 127) / 128 of 0…255. */
export function recogniserInput(crops: Tensor): Tensor {
  return scope(() => crops.mul(127.5 / 128).add(0.5 / 128));
}

/** Middle and last map of the recogniser, `[B, 128, 14, 14]` and `[B, 512, 7, 7]`, as one grid of tokens `[B, 49, 1024]`. */
export function joinMaps(middle: Tensor, last: Tensor): Tensor {
  return scope(() => cat([joinNeighbours(middle), last.flatten(2).transpose(1, 2)], -1));
}

/** `[B, 128, 14, 14] → [B, 49, 512]`: each 2×2 neighbourhood becomes one token. */
function joinNeighbours(map: Tensor): Tensor {
  const [batch, channels] = map.shape;
  return map
    .reshape([batch, channels, GRID, 2, GRID, 2])
    .permute([0, 2, 4, 3, 5, 1])
    .reshape([batch, GRID * GRID, 4 * channels]);
}

/** The inverse of {@link joinNeighbours}. */
function splitNeighbours(tokens: Tensor): Tensor {
  const [batch, , values] = tokens.shape;
  return tokens
    .reshape([batch, GRID, GRID, 2, 2, values / 4])
    .permute([0, 5, 1, 3, 2, 4])
    .reshape([batch, values / 4, 2 * GRID, 2 * GRID]);
}
