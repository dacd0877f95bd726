import { arange, cat, checkpoint, F, nn, scope, Tensor, zeros } from "@omni-id/torch";
import { repeat } from "../repeat.ts";
import { DoubleStreamBlock, LastLayer, SingleStreamBlock } from "./flux-blocks.ts";
import { ropeTable } from "./rope.ts";

export interface FluxOptions {
  /** Channels of an image token: latent channels × patch area. */
  inChannels: number;
  /** Channels of the prediction; `inChannels` when absent. */
  outChannels?: number;
  /** Channels of the pooled text vector (CLIP). */
  vectorWidth: number;
  /** Channels of a text token (T5). */
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
  qkvBias?: boolean;
  /** Whether the guidance scale is an input (dev), or not (schnell). */
  guidance: boolean;
}

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

/** Decoupled attention to identity tokens, block by block; the `IpAdapter` is one. */
export interface IdentityAdapter {
  /** @throws when the identity `[B, L, C]` or the model has another size than this adapter */
  check(tokens: Tensor, flux: Readonly<FluxOptions>): void;
  /** What one double block adds to its image tokens: queries `[B, N, H, D]`, identity `[B, L, C]` → `[B, N, H·D]`. */
  attend(block: number, queries: Tensor, tokens: Tensor, scale?: number | Tensor): Tensor;
}

/** What FLUX and its ControlNet are both asked with. */
export interface FluxTrunkInput {
  /** Noisy image tokens `[B, N, inChannels]`. */
  img: Tensor;
  /** Their positions (0, row, column): `[N, A]`, or `[B, N, A]` where they differ from image to image. */
  imgIds: Tensor;
  /** Text tokens `[B, T, contextWidth]`. */
  txt: Tensor;
  /** Their positions, zeros: `[T, A]` or `[B, T, A]`. */
  txtIds: Tensor;
  /** Time t in 0 (image) … 1 (noise), `[B]`. */
  timesteps: Tensor;
  /** Pooled text `[B, vectorWidth]`. */
  y: Tensor;
  /** Guidance scale `[B]`, for models that take it. */
  guidance?: Tensor;
  /** Keep each block's inputs only, and run it once more for its gradients: memory for time. */
  checkpointBlocks?: boolean;
}

export interface FluxInput extends FluxTrunkInput {
  /** IP-Adapter: decoupled attention to identity tokens `[B, L, C]` in the double blocks. */
  identity?: {
    tokens: Tensor;
    adapter: IdentityAdapter;
    /** How much of it is added, one number or one an image `[B]`; 1 when absent. */
    scale?: number | Tensor;
  };
  /** ControlNet's answers `[B, N, width]`; number i mod length is added after double block i. */
  residuals?: readonly Tensor[];
  /** `[B, width]`, added to the vector that modulates all blocks (ours, an option of the nano preset). */
  modulation?: Tensor;
  /** Tokens `[B, K, width]` that stand behind the text, at position 0 (ours, an option of the nano preset). */
  extraText?: Tensor;
}

/** Channels of the sinusoidal embedding of t and of guidance. */
const TIME_CHANNELS = 256;

/** [cos, sin](1000 · t · 10000^(−i/128)): `[B] → [B, 256]`. */
export function timestepEmbedding(t: Tensor): Tensor {
  return scope(() => {
    const half = TIME_CHANNELS / 2;
    const frequencies = arange(0, half, 1, { dtype: "float32", device: t.device })
      .mul(-Math.log(10_000) / half)
      .exp();
    const angles = t.float().mul(1000).unsqueeze(1).mul(frequencies);
    return cat([angles.cos(), angles.sin()], 1);
  });
}

class MlpEmbedder extends nn.Module {
  readonly in_layer: nn.Linear;
  readonly out_layer: nn.Linear;

  constructor({ in: inputs, width }: { in: number; width: number }) {
    super();
    this.in_layer = new nn.Linear({ in: inputs, out: width });
    this.out_layer = new nn.Linear({ in: width, out: width });
  }

  /** `[B, in] → [B, width]`, in the dtype of the weights. */
  forward(x: Tensor): Tensor {
    return scope(() => {
      const { dtype } = this.out_layer.weight;
      return this.out_layer.forward(F.silu(this.in_layer.forward(x.to(dtype)))).to(dtype);
    });
  }
}

/** The inputs after their first layers: what goes into the double blocks. */
export interface FluxStreams {
  img: Tensor;
  txt: Tensor;
  /** The condition that modulates every block, `[B, width]`. */
  vec: Tensor;
  /** Rotations of text and image tokens. */
  rope: Tensor;
}

/** What FLUX and its ControlNet have in common: the embeddings and the double blocks. */
export abstract class FluxTrunk extends nn.Module {
  readonly img_in: nn.Linear;
  readonly time_in: MlpEmbedder;
  readonly vector_in: MlpEmbedder;
  readonly guidance_in: MlpEmbedder | undefined;
  readonly txt_in: nn.Linear;
  readonly double_blocks: DoubleStreamBlock[];
  readonly #options: FluxOptions;

  constructor(options: FluxOptions) {
    super();
    checkOptions(options);
    const { inChannels, vectorWidth, contextWidth, width, heads, mlpRatio = 4, qkvBias = true } = options;
    this.#options = options;
    this.img_in = new nn.Linear({ in: inChannels, out: width });
    this.time_in = new MlpEmbedder({ in: TIME_CHANNELS, width });
    this.vector_in = new MlpEmbedder({ in: vectorWidth, width });
    if (options.guidance) this.guidance_in = new MlpEmbedder({ in: TIME_CHANNELS, width });
    this.txt_in = new nn.Linear({ in: contextWidth, out: width });
    this.double_blocks = repeat(options.doubleBlocks, () => new DoubleStreamBlock({ width, heads, mlpRatio, qkvBias }));
  }

  get options(): Readonly<FluxOptions> {
    return this.#options;
  }

  /** @throws a line with the numbers when shapes do not fit, or guidance is missing */
  protected embed(
    { img, imgIds, txt, txtIds, timesteps, y, guidance }: FluxTrunkInput,
    { modulation, extraText }: Pick<FluxInput, "modulation" | "extraText"> = {},
  ): FluxStreams {
    checkInput({ img, imgIds, txt, txtIds, timesteps, y }, this.#options);
    return scope(() => {
      // The residual streams keep the weights' precision: float32 under autocast, bfloat16 in a bfloat16 model.
      const { dtype } = this.img_in.weight;
      const conditions = [this.time_in.forward(timestepEmbedding(timesteps))];
      if (this.guidance_in) {
        if (!guidance) throw new Error("FLUX: this model was distilled with guidance: give `guidance`, e.g. 3.5");
        conditions.push(this.guidance_in.forward(timestepEmbedding(guidance)));
      }
      conditions.push(this.vector_in.forward(y));
      if (modulation) conditions.push(modulation.to(dtype));

      const text = [this.txt_in.forward(txt.to(dtype)).to(dtype)];
      const ids = [txtIds];
      if (extraText) {
        text.push(extraText.to(dtype));
        ids.push(zeros([extraText.shape[1], txtIds.shape[txtIds.ndim - 1]], { device: txtIds.device }));
      }
      const { axes, theta = 10_000 } = this.#options;
      return {
        img: this.img_in.forward(img.to(dtype)).to(dtype),
        txt: text.length > 1 ? cat(text, 1) : text[0],
        vec: conditions.reduce((sum, condition) => sum.add(condition)),
        rope: ropeTable(joinIds([...ids, imgIds]), { axes, theta }),
      };
    });
  }

  /** Double block `i` on its streams; all that has a gradient comes as an argument, as checkpoints want it. */
  protected doubleBlock(
    i: number,
    { img, txt, vec, rope }: FluxStreams,
    { identity, checkpointBlocks }: Pick<FluxInput, "identity" | "checkpointBlocks">,
  ): Tensor[] {
    const run = (x: Tensor, text: Tensor, condition: Tensor, turns: Tensor, tokens?: Tensor, scale?: Tensor) => {
      const attend =
        identity && tokens && ((q: Tensor) => identity.adapter.attend(i, q, tokens, scale ?? identity.scale));
      const streams = this.double_blocks[i].forward({ img: x, txt: text }, condition, turns, attend);
      return [streams.img, streams.txt];
    };
    const inputs: Parameters<typeof run> = [img, txt, vec, rope];
    if (identity) inputs.push(identity.tokens);
    if (identity?.scale instanceof Tensor) inputs.push(identity.scale);
    return checkpointBlocks
      ? checkpoint((...given) => run(...(given as typeof inputs)), inputs as Tensor[])
      : run(...inputs);
  }
}

/**
 * The FLUX transformer (flux/model.py), by Black Forest Labs' keys: the velocity ε − x of rectified flow from noisy
 * image tokens, text, time and guidance. Image and text meet in double blocks, then run as one sequence through
 * single blocks.
 */
export class Flux extends FluxTrunk {
  readonly single_blocks: SingleStreamBlock[];
  readonly final_layer: LastLayer;

  constructor(options: FluxOptions) {
    super(options);
    const { width, heads, mlpRatio = 4, qkvBias = true, outChannels = options.inChannels } = options;
    this.single_blocks = repeat(options.singleBlocks, () => new SingleStreamBlock({ width, heads, mlpRatio, qkvBias }));
    this.final_layer = new LastLayer({ width, out: outChannels });
  }

  /** The velocity at every image token: `[B, N, outChannels]`. */
  forward(input: FluxInput): Tensor {
    const { identity, residuals = [] } = input;
    identity?.adapter.check(identity.tokens, this.options);
    return scope(() => {
      const { vec, rope, ...start } = this.embed(input, input);
      let { img, txt } = start;
      for (const i of this.double_blocks.keys()) {
        [img, txt] = this.doubleBlock(i, { img, txt, vec, rope }, input);
        if (residuals.length > 0) img = img.add(residuals[i % residuals.length]);
      }

      const textTokens = txt.shape[1];
      let x = cat([txt, img], 1);
      for (const block of this.single_blocks) {
        x = input.checkpointBlocks
          ? checkpoint((...inputs) => block.forward(...(inputs as [Tensor, Tensor, Tensor])), [x, vec, rope])
          : block.forward(x, vec, rope);
      }
      return this.final_layer.forward(x.narrow(1, textTokens, x.shape[1] - textTokens), vec).to(vec.dtype);
    });
  }
}

/** Positions one after the other; those that are the same for all images are repeated where others are not. */
function joinIds(ids: readonly Tensor[]): Tensor {
  const batch = ids.find(({ ndim }) => ndim === 3)?.shape[0];
  const alike = batch === undefined ? ids : ids.map((t) => t.expand([batch, ...t.shape.slice(-2)]));
  return cat(
    alike.map((t) => t.float()),
    -2,
  );
}

function checkOptions({ width, heads, axes }: FluxOptions): void {
  const turned = axes.reduce((sum, channels) => sum + channels, 0);
  if (width % heads !== 0) throw new RangeError(`FLUX: width ${width} does not split into ${heads} heads`);
  if (turned !== width / heads || axes.some((channels) => channels % 2 !== 0)) {
    throw new RangeError(
      `FLUX: axes [${axes.join(", ")}] must be even and add up to the ${width / heads} channels of a head`,
    );
  }
}

function checkInput(
  { img, imgIds, txt, txtIds, timesteps, y }: FluxTrunkInput,
  { inChannels, contextWidth, vectorWidth, axes }: FluxOptions,
): void {
  const batch = img.shape[0];
  const wrong = (name: string, got: Tensor, wanted: readonly (number | string)[]) =>
    new RangeError(`FLUX: ${name} is [${got.shape.join(", ")}], expected [${wanted.join(", ")}]`);
  if (img.ndim !== 3 || img.shape[2] !== inChannels) throw wrong("img", img, ["B", "N", inChannels]);
  if (txt.ndim !== 3 || txt.shape[0] !== batch || txt.shape[2] !== contextWidth) {
    throw wrong("txt", txt, [batch, "T", contextWidth]);
  }
  if (y.shape.join() !== [batch, vectorWidth].join()) throw wrong("y", y, [batch, vectorWidth]);
  if (timesteps.shape.join() !== `${batch}`) throw wrong("timesteps", timesteps, [batch]);
  for (const [name, ids, tokens] of [
    ["imgIds", imgIds, img.shape[1]],
    ["txtIds", txtIds, txt.shape[1]],
  ] as const) {
    if (ids.shape.slice(-2).join() !== [tokens, axes.length].join()) throw wrong(name, ids, [tokens, axes.length]);
  }
}
