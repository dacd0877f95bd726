import { cat, nn, scope, type Tensor, zeros } from "@omni-id/torch";
import type { Autoencoder } from "./backbones/autoencoder.ts";
import type { Flux } from "./backbones/flux.ts";
import { imagePositions, textPositions } from "./backbones/flux-positions.ts";
import type { FluxInput, FluxTrunkInput, ImageTokens } from "./backbones/flux-trunk.ts";
import type { PromptEncoder, Prompts } from "./backbones/words.ts";
import { patchify, unpatchify } from "./pictures/patches.ts";
import { fluxShift, type Shift } from "./sampling-steps.ts";

/** What a FLUX is told beside the noisy picture and the time. */
export type Conditions = Pick<
  FluxInput,
  "identity" | "residuals" | "modulation" | "extraText" | "references" | "extraImage"
>;

/** Conditions, or what makes them at each step of the sampling, as a ControlNet does. */
export type Steering = Conditions | StepConditions;

/** Conditions of one step of the sampling, out of what the model is asked with. */
export type StepConditions = (input: FluxTrunkInput) => Conditions;

export interface FlowBaseOptions {
  latents: Autoencoder;
  prompts: PromptEncoder;
  flux: Flux;
  /** Side of the square of latents that makes one token (FLUX: 2). */
  packing: number;
  /** Side of a picture, in pixels. */
  imageSize: number;
  /** Channels behind the latents by which a token is told of the picture's layout; 0 when absent. */
  layoutChannels?: number;
  /** Guidance scale that a distilled model is told (FLUX.1-dev: 3.5), in training and drawing; unused by others. */
  distilledGuidance?: number;
  /** How it is drawn with where nothing else is said. */
  drawing?: Partial<Drawing>;
}

/** How a flow model wants to be drawn with. */
export interface Drawing {
  /** How its times are moved towards the noise. */
  shift: Shift;
  steps?: number;
  /** Guidance against {@link emptyPrompt} or against a bare model; 1 is none. */
  guidance?: number;
  /** The solver it was published with. */
  solver?: "euler" | "heun" | "dpm";
  /** The prompt that guidance leads away from; the same prompt, without the identity, when absent. */
  emptyPrompt?: string;
}

/**
 * The pretrained flow model of section 3.3 with what belongs to it: autoencoder and prompt encoder. Frozen wherever
 * an identity is concerned; everything that tells it of a person comes from outside, as {@link Conditions}.
 */
export class FlowBase extends nn.Module {
  readonly latents: Autoencoder;
  readonly prompts: PromptEncoder;
  readonly flux: Flux;
  /** Keep a block's inputs only, a ControlNet's too, and run it again for its gradients: less memory, a second forward pass. */
  checkpointBlocks = false;
  readonly #packing: number;
  /** Tokens along one side of a picture. */
  readonly across: number;
  /** Channels by which a token is told of the picture's layout; 0: it is told nothing. */
  readonly layoutChannels: number;
  /** Guidance scale that a distilled model is told; unused by others. */
  distilledGuidance: number | undefined;
  readonly #drawing: Drawing;

  constructor(options: FlowBaseOptions) {
    super();
    const { latents, prompts, flux, packing, imageSize, layoutChannels = 0, distilledGuidance, drawing } = options;
    if (flux.options.guidance && distilledGuidance === undefined) {
      throw new Error("this flow model is told a guidance scale: give distilledGuidance, such as 3.5");
    }
    this.latents = latents;
    this.prompts = prompts;
    this.flux = flux;
    this.#packing = packing;
    this.across = imageSize / this.patchSize;
    this.layoutChannels = layoutChannels;
    this.distilledGuidance = distilledGuidance;
    this.#drawing = { shift: fluxShift, ...drawing };
  }

  get drawing(): Readonly<Drawing> {
    return this.#drawing;
  }

  /** Side of the square of pixels that one token stands for. */
  get patchSize(): number {
    return this.latents.factor * this.#packing;
  }

  /** Tokens of a picture, and channels of each. */
  get tokenShape(): [tokens: number, channels: number] {
    return [this.across ** 2, this.latents.latentChannels * this.#packing ** 2];
  }

  /** Pictures `[B, 3, S, S]` in [−1, 1] → x₀, image tokens `[B, N, C]` float32. */
  tokens(pictures: Tensor): Tensor {
    return scope(() => patchify(this.latents.encode(pictures), this.#packing).float());
  }

  /**
   * Pictures to draw from, each `[1, 3, H, W]` of a size of its own, as tokens with their positions: FLUX.2's way of
   * taking photos.
   * @throws for a FLUX of the first generation, which knows no references
   */
  references(pictures: readonly Tensor[]): ImageTokens {
    const { options } = this.flux;
    if (options.generation !== 2) throw new Error("FLUX.1 takes no reference photos: take FLUX.2 (--base klein)");
    return scope(() => {
      const latents = pictures.map((picture) => this.latents.encode(picture));
      const ids = latents.map(({ shape }, reference) => {
        const [rows, columns] = shape.slice(-2).map((side) => side / this.#packing);
        return imagePositions({ rows, columns, reference }, options);
      });
      return {
        tokens: cat(
          latents.map((map) => patchify(map, this.#packing)),
          1,
        ),
        ids: cat(ids, 0),
      };
    });
  }

  /** The inverse of {@link tokens}. */
  pictures(tokens: Tensor): Tensor {
    return scope(() => this.latents.decode(unpatchify(tokens, this.#packing)).float());
  }

  /**
   * What the model and a ControlNet beside it are asked with: noisy tokens `[B, N, C]`, times `[B]`.
   * @param layout of each token what is known of the picture's layout, `[B, N, layoutChannels]`; nothing when absent
   */
  input(x: Tensor, t: Tensor, { txt, y }: Prompts, layout?: Tensor): FluxTrunkInput {
    return scope(() => {
      // Channels behind channels, as the FLUX.1 Tools take a picture of edges or depth (flux/sampling.py, img_cond).
      const told = this.layoutChannels > 0 && (layout ?? zeros([x.shape[0], x.shape[1], this.layoutChannels]));
      const img = told ? cat([x, told], 2) : x;
      const { options } = this.flux;
      const guidance = options.guidance ? t.mul(0).add(this.distilledGuidance ?? 0) : undefined;
      const imgIds = imagePositions({ rows: this.across, columns: this.across }, options);
      const txtIds = textPositions({ length: txt.shape[1] }, options);
      return { img, imgIds, txt, txtIds, y, timesteps: t, guidance, checkpointBlocks: this.checkpointBlocks };
    });
  }

  /** v(x_t, t): noisy tokens `[B, N, C]`, times `[B]` → velocity `[B, N, C]`, float32. */
  velocity(x: Tensor, t: Tensor, prompts: Prompts, steering: Steering = {}, layout?: Tensor): Tensor {
    return scope(() => {
      const input = this.input(x, t, prompts, layout);
      const conditions = typeof steering === "function" ? steering(input) : steering;
      return this.flux.forward({ ...input, ...conditions }).float();
    });
  }
}

/** x_t = (1 − t) x₀ + t ε: `[B, N, C]`, t `[B]`. */
export function noised(x: Tensor, noise: Tensor, t: Tensor): Tensor {
  return scope(() => x.lerp(noise, t.view([-1, 1, 1])));
}

/** The velocity that the model has to learn, ε − x₀. */
export function flowTarget(x: Tensor, noise: Tensor): Tensor {
  return noise.sub(x);
}

/**
 * Mean squared error of the velocity, one number a picture: `[B]`.
 * @param weights how much each token counts, `[B, N]`; all alike when absent
 */
export function flowError(velocity: Tensor, x: Tensor, noise: Tensor, weights?: Tensor): Tensor {
  return scope(() => {
    const squares = velocity.sub(flowTarget(x, noise)).square();
    return weights ? squares.mean([2]).mul(weights).mean([1]) : squares.mean([1, 2]);
  });
}
