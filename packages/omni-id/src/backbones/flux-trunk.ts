import { arange, cat, checkpoint, F, nn, scope, Tensor } from "@omni-id/torch";
import { repeat } from "../repeat.ts";
import { DoubleStreamBlock, type FluxBlockOptions, type IdentityAttention, Modulation } from "./flux-blocks.ts";
import { checkOptions, type FluxOptions, formOf } from "./flux-options.ts";
import { textPositions } from "./flux-positions.ts";
import { ropeTable } from "./rope.ts";

/** Decoupled attention to identity tokens, block by block; the `IpAdapter` is one. */
export interface IdentityAdapter {
  /** Whether the single blocks ask it too; the paper's form asks in double blocks only. */
  readonly single?: boolean;
  /** @throws when the identity `[B, L, C]` or the model has another size than this adapter */
  check(tokens: Tensor, flux: Readonly<FluxOptions>): void;
  /**
   * What one block adds to its image tokens: queries `[B, N, H, D]`, identity `[B, L, C]` → `[B, N, H·D]`.
   * @param block double blocks first, then the single ones
   */
  attend(block: number, queries: Tensor, tokens: Tensor, scale?: number | Tensor): Tensor;
}

/** What FLUX and its ControlNet are both asked with. */
export interface FluxTrunkInput {
  /** Noisy image tokens `[B, N, inChannels]`. */
  img: Tensor;
  /** Their positions, (0, row, column) or (0, row, column, 0): `[N, A]`, or `[B, N, A]` where images differ. */
  imgIds: Tensor;
  /** Text tokens `[B, T, contextWidth]`. */
  txt: Tensor;
  /** Their positions; see `textPositions`: `[T, A]` or `[B, T, A]`. */
  txtIds: Tensor;
  /** Time t in 0 (image) … 1 (noise), `[B]`. */
  timesteps: Tensor;
  /** Pooled text `[B, vectorWidth]`; FLUX.2 takes none. */
  y?: Tensor;
  /** Guidance scale `[B]`, for models that take it. */
  guidance?: Tensor;
  /** Keep each block's inputs only, and run it once more for its gradients: memory for time. */
  checkpointBlocks?: boolean;
}

/** Tokens that stand behind those of the picture, with their positions `[R, A]` or `[B, R, A]`. */
export interface ImageTokens {
  tokens: Tensor;
  ids: Tensor;
}

export interface FluxInput extends FluxTrunkInput {
  /** IP-Adapter: decoupled attention to identity tokens `[B, L, C]`. */
  identity?: {
    tokens: Tensor;
    adapter: IdentityAdapter;
    /** How much of it is added, one number or one an image `[B]`; 1 when absent. */
    scale?: number | Tensor;
  };
  /** ControlNet's answers `[B, N, width]`; number i mod length is added after double block i. */
  residuals?: readonly Tensor[];
  /** Latents of other pictures to draw from, `[B, R, inChannels]`: FLUX.2's own way of taking photos. */
  references?: ImageTokens;
  /** `[B, width]`, added to the vector that modulates all blocks (ours, an option of the nano preset). */
  modulation?: Tensor;
  /** Tokens `[B, K, width]` that stand behind the text (ours, an option of the nano preset). */
  extraText?: Tensor;
  /** Tokens `[B, K, width]` that stand behind the references, as if they were one (ours, an option). */
  extraImage?: ImageTokens;
  /** Told the states between the blocks, by the names of golden files; to find where two implementations part. */
  trace?: (name: string, states: Tensor) => void;
}

/** What the trunk itself takes beside its input. */
type Extras = Pick<FluxInput, "modulation" | "extraText" | "references" | "extraImage" | "trace">;

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

  constructor({ in: inputs, width, bias }: { in: number; width: number; bias: boolean }) {
    super();
    this.in_layer = new nn.Linear({ in: inputs, out: width, bias });
    this.out_layer = new nn.Linear({ in: width, out: width, bias });
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
  /** What each stream of a double block is modulated by: `vec`, or FLUX.2's modulation of all double blocks. */
  condition: { img: Tensor; txt: Tensor };
  /** Rotations of text and image tokens. */
  rope: Tensor;
}

/** Sizes of a block, from those of its model. */
export function blockOptions(options: FluxOptions): FluxBlockOptions {
  const { bias, gated, modulation, mlpRatio: usual } = formOf(options);
  const { width, heads, mlpRatio = usual, qkvBias = bias } = options;
  return { width, heads, mlpRatio, qkvBias, bias, gated, modulation };
}

/** What FLUX and its ControlNet have in common: the embeddings and the double blocks. */
export abstract class FluxTrunk extends nn.Module {
  readonly img_in: nn.Linear;
  readonly time_in: MlpEmbedder;
  readonly vector_in: MlpEmbedder | undefined;
  readonly guidance_in: MlpEmbedder | undefined;
  readonly txt_in: nn.Linear;
  readonly double_blocks: DoubleStreamBlock[];
  readonly double_stream_modulation_img: Modulation | undefined;
  readonly double_stream_modulation_txt: Modulation | undefined;
  readonly #options: FluxOptions;

  constructor(options: FluxOptions) {
    super();
    checkOptions(options);
    const { inChannels, vectorWidth, contextWidth, width } = options;
    const { bias, pooled, modulation } = formOf(options);
    this.#options = options;
    this.img_in = new nn.Linear({ in: inChannels, out: width, bias });
    this.time_in = new MlpEmbedder({ in: TIME_CHANNELS, width, bias });
    if (pooled) this.vector_in = new MlpEmbedder({ in: vectorWidth, width, bias });
    if (options.guidance) this.guidance_in = new MlpEmbedder({ in: TIME_CHANNELS, width, bias });
    this.txt_in = new nn.Linear({ in: contextWidth, out: width, bias });
    this.double_blocks = repeat(options.doubleBlocks, () => new DoubleStreamBlock(blockOptions(options)));
    if (modulation === "model") {
      this.double_stream_modulation_img = new Modulation({ width, layers: 2, bias });
      this.double_stream_modulation_txt = new Modulation({ width, layers: 2, bias });
    }
  }

  get options(): Readonly<FluxOptions> {
    return this.#options;
  }

  /** @throws a line with the numbers when shapes do not fit, or guidance is missing */
  protected embed(
    { img, imgIds, txt, txtIds, timesteps, y, guidance }: FluxTrunkInput,
    { modulation, extraText, references, extraImage, trace }: Extras = {},
  ): FluxStreams {
    checkInput({ img, imgIds, txt, txtIds, timesteps, y }, this.#options);
    if (references) checkReferences(references, img, this.#options);
    return scope(() => {
      // The residual streams keep the weights' precision: float32 under autocast, bfloat16 in a bfloat16 model.
      const { dtype } = this.img_in.weight;
      const conditions = [this.time_in.forward(timestepEmbedding(timesteps))];
      trace?.("time_in", conditions[0]);
      if (this.guidance_in) {
        if (!guidance) throw new Error("FLUX: this model was distilled with guidance: give `guidance`, e.g. 3.5");
        conditions.push(this.guidance_in.forward(timestepEmbedding(guidance)));
      }
      if (this.vector_in && y) conditions.push(this.vector_in.forward(y));
      if (modulation) conditions.push(modulation.to(dtype));
      const vec = conditions.reduce((sum, condition) => sum.add(condition));

      const text = [this.txt_in.forward(txt.to(dtype)).to(dtype)];
      const ids = [txtIds];
      if (extraText) {
        text.push(extraText.to(dtype));
        const [length, from] = [extraText.shape[1], txt.shape[1]];
        ids.push(textPositions({ length, from }, this.#options).to(txtIds.device));
      }
      ids.push(imgIds);
      const pictures = [img, ...(references ? [references.tokens] : [])].map((latents) => latents.to(dtype));
      const image = [this.img_in.forward(joined(pictures)).to(dtype)];
      if (references) ids.push(references.ids);
      if (extraImage) {
        image.push(extraImage.tokens.to(dtype));
        ids.push(extraImage.ids);
      }
      const { axes, theta = formOf(this.#options).theta } = this.#options;
      return {
        img: joined(image),
        txt: joined(text),
        vec,
        condition: {
          img: this.double_stream_modulation_img?.forward(vec) ?? vec,
          txt: this.double_stream_modulation_txt?.forward(vec) ?? vec,
        },
        rope: ropeTable(joinIds(ids), { axes, theta }),
      };
    });
  }

  /** Double block `i` on its streams; all that has a gradient comes as an argument, as checkpoints want it. */
  protected doubleBlock(
    i: number,
    { img, txt, condition, rope }: Omit<FluxStreams, "vec">,
    input: Pick<FluxInput, "img" | "identity" | "checkpointBlocks">,
  ): Tensor[] {
    return runBlock(
      ([x, text, ofImage, ofText, turns], identity) => {
        const conditions = { img: ofImage, txt: ofText };
        const streams = this.double_blocks[i].forward({ img: x, txt: text }, conditions, turns, identity);
        return [streams.img, streams.txt];
      },
      [img, txt, condition.img, condition.txt, rope],
      { ...input, block: i },
    );
  }
}

type Block = (inputs: readonly Tensor[], identity: IdentityAttention | undefined) => Tensor[];

/** Runs a block, where asked to with a checkpoint, beside an identity where there is one. */
export function runBlock(
  run: Block,
  inputs: readonly Tensor[],
  {
    block,
    img,
    identity,
    checkpointBlocks,
  }: Pick<FluxInput, "img" | "identity" | "checkpointBlocks"> & { block: number },
): Tensor[] {
  const rows = img.shape[1];
  const all = (...given: Tensor[]) => {
    if (!identity) return run(given, undefined);
    const [tokens, scale] = given.slice(inputs.length);
    const attend = (q: Tensor) => identity.adapter.attend(block, q, tokens, scale ?? identity.scale);
    return run(given.slice(0, inputs.length), { rows, attend });
  };
  const given = [...inputs];
  if (identity) given.push(identity.tokens);
  if (identity?.scale instanceof Tensor) given.push(identity.scale);
  return checkpointBlocks ? checkpoint(all, given) : all(...given);
}

const joined = (parts: readonly Tensor[]): Tensor => (parts.length > 1 ? cat(parts, 1) : parts[0]);

/** Positions one after the other; those that are the same for all images are repeated where others are not. */
function joinIds(ids: readonly Tensor[]): Tensor {
  const batch = ids.find(({ ndim }) => ndim === 3)?.shape[0];
  const alike = batch === undefined ? ids : ids.map((t) => t.expand([batch, ...t.shape.slice(-2)]));
  return cat(
    alike.map((t) => t.float()),
    -2,
  );
}

function wrong(name: string, got: Tensor | undefined, wanted: readonly (number | string)[]): RangeError {
  const shape = got ? `[${got.shape.join(", ")}]` : "missing";
  return new RangeError(`FLUX: ${name} is ${shape}, expected [${wanted.join(", ")}]`);
}

function checkInput(
  { img, imgIds, txt, txtIds, timesteps, y }: FluxTrunkInput,
  { inChannels, contextWidth, vectorWidth, axes, generation }: FluxOptions,
): void {
  const batch = img.shape[0];
  if (img.ndim !== 3 || img.shape[2] !== inChannels) throw wrong("img", img, ["B", "N", inChannels]);
  if (txt.ndim !== 3 || txt.shape[0] !== batch || txt.shape[2] !== contextWidth) {
    throw wrong("txt", txt, [batch, "T", contextWidth]);
  }
  if (formOf({ generation }).pooled && y?.shape.join() !== [batch, vectorWidth].join()) {
    throw wrong("y", y, [batch, vectorWidth]);
  }
  if (timesteps.shape.join() !== `${batch}`) throw wrong("timesteps", timesteps, [batch]);
  checkIds("imgIds", imgIds, img.shape[1], axes);
  checkIds("txtIds", txtIds, txt.shape[1], axes);
}

function checkReferences({ tokens, ids }: ImageTokens, img: Tensor, { inChannels, axes }: FluxOptions): void {
  if (tokens.ndim !== 3 || tokens.shape[0] !== img.shape[0] || tokens.shape[2] !== inChannels) {
    throw wrong("references", tokens, [img.shape[0], "R", inChannels]);
  }
  checkIds("the references' ids", ids, tokens.shape[1], axes);
}

function checkIds(name: string, ids: Tensor, tokens: number, axes: readonly number[]): void {
  if (ids.shape.slice(-2).join() !== [tokens, axes.length].join()) throw wrong(name, ids, [tokens, axes.length]);
}
