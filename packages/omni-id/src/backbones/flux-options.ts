/** Sizes of a FLUX, of the first or the second generation. */
export interface FluxOptions {
  /** 1: FLUX.1. 2: FLUX.2. See {@link FORMS} for what that changes. */
  generation?: Generation;
  /** Channels of an image token: latent channels × patch area. */
  inChannels: number;
  /** Channels of the prediction; `inChannels` when absent. */
  outChannels?: number;
  /** Channels of the pooled text vector (CLIP); 0 in FLUX.2, which takes none. */
  vectorWidth: number;
  /** Channels of a text token (T5, or three layers of Qwen3). */
  contextWidth: number;
  /** Channels inside the transformer. */
  width: number;
  heads: number;
  /** Hidden channels of an MLP over `width`. */
  mlpRatio?: number;
  doubleBlocks: number;
  singleBlocks: number;
  /** Channels of a head for each coordinate of a position id; they add up to `width / heads`. */
  axes: readonly number[];
  /** Base of the rotary frequencies. */
  theta?: number;
  /** Bias of queries, keys and values; FLUX.2 has none. */
  qkvBias?: boolean;
  /** Whether the guidance scale is an input (dev), or not (schnell, klein). */
  guidance: boolean;
}

export type Generation = 1 | 2;

/** What the two generations of FLUX do differently; all else is the same code. */
export interface FluxForm {
  /** Linear layers have a bias. */
  bias: boolean;
  /** MLPs are silu(a) · b instead of gelu(a). */
  gated: boolean;
  /** Every block makes its own shifts, scales and gates, or the model makes them once for all blocks of a kind. */
  modulation: "block" | "model";
  /** A pooled text vector is part of the condition. */
  pooled: boolean;
  mlpRatio: number;
  theta: number;
  /** The coordinate of a position that counts text tokens; where it is absent they all stand at 0. */
  textAxis?: number;
}

/** What changed from FLUX.1 to FLUX.2. */
export const FORMS: Readonly<Record<Generation, FluxForm>> = {
  1: { bias: true, gated: false, modulation: "block", pooled: true, mlpRatio: 4, theta: 10_000 },
  2: { bias: false, gated: true, modulation: "model", pooled: false, mlpRatio: 3, theta: 2_000, textAxis: 3 },
};

export const formOf = ({ generation = 1 }: Pick<FluxOptions, "generation">): FluxForm => FORMS[generation];

/** FLUX.1-dev: 11,901,408,320 parameters. */
export const FLUX_DEV: FluxOptions = {
  inChannels: 64,
  vectorWidth: 768,
  contextWidth: 4096,
  width: 3072,
  heads: 24,
  mlpRatio: 4,
  doubleBlocks: 19,
  singleBlocks: 38,
  axes: [16, 56, 56],
  theta: 10_000,
  qkvBias: true,
  guidance: true,
};

/** FLUX.1-schnell: the same without guidance. */
export const FLUX_SCHNELL: FluxOptions = { ...FLUX_DEV, guidance: false };

/** FLUX.2 [klein] 4B, distilled and Base alike: 3,875,544,576 parameters. */
export const FLUX2_KLEIN: FluxOptions = {
  generation: 2,
  inChannels: 128,
  vectorWidth: 0,
  contextWidth: 7680,
  width: 3072,
  heads: 24,
  mlpRatio: 3,
  doubleBlocks: 5,
  singleBlocks: 20,
  axes: [32, 32, 32, 32],
  theta: 2_000,
  guidance: false,
};

/** @throws when heads or axes do not fit the width, or the generation has no place for an option */
export function checkOptions({ width, heads, axes, generation, vectorWidth }: FluxOptions): void {
  const turned = axes.reduce((sum, channels) => sum + channels, 0);
  if (width % heads !== 0) throw new RangeError(`FLUX: width ${width} does not split into ${heads} heads`);
  if (turned !== width / heads || axes.some((channels) => channels % 2 !== 0)) {
    throw new RangeError(
      `FLUX: axes [${axes.join(", ")}] must be even and add up to the ${width / heads} channels of a head`,
    );
  }
  const { pooled, textAxis = 0 } = formOf({ generation });
  if (!pooled && vectorWidth !== 0) {
    throw new RangeError(`FLUX.2 takes no pooled text vector: vectorWidth is ${vectorWidth}, expected 0`);
  }
  if (axes.length <= textAxis) {
    throw new RangeError(`FLUX.2: positions have ${textAxis + 1} coordinates (t, h, w, l), axes [${axes.join(", ")}]`);
  }
}
