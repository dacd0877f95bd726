import { nn, scope, type Tensor, tensor, zeros } from "@omni-id/torch";
import type { Autoencoder } from "./backbones/autoencoder.ts";
import type { Flux, FluxInput, FluxTrunkInput } from "./backbones/flux.ts";
import type { PromptEncoder, Prompts } from "./backbones/words.ts";
import { patchify, unpatchify } from "./pictures/patches.ts";

/** What a FLUX is told beside the noisy picture and the time. */
export type Conditions = Pick<FluxInput, "identity" | "residuals" | "modulation" | "extraText">;

/** Conditions, or what makes them at each step of the sampling, as a ControlNet does. */
export type Steering = Conditions | ((input: FluxTrunkInput) => Conditions);

export interface FlowBaseOptions {
  latents: Autoencoder;
  prompts: PromptEncoder;
  flux: Flux;
  /** Side of the square of latents that makes one token (FLUX: 2). */
  packing: number;
  /** Side of a picture, in pixels. */
  imageSize: number;
  /** Guidance scale that a distilled model is told; unused by others. */
  distilledGuidance?: number;
}

/**
 * The pretrained flow model of section 3.3 with what belongs to it: autoencoder and prompt encoder. Frozen wherever
 * an identity is concerned; everything that tells it of a person comes from outside, as {@link Conditions}.
 */
export class FlowBase extends nn.Module {
  readonly latents: Autoencoder;
  readonly prompts: PromptEncoder;
  readonly flux: Flux;
  /** Keep a block's inputs only and run it again for its gradients: less memory, a second forward pass. */
  checkpointBlocks = false;
  readonly #packing: number;
  readonly #grid: number;
  readonly #guidance: number;

  constructor({ latents, prompts, flux, packing, imageSize, distilledGuidance = 3.5 }: FlowBaseOptions) {
    super();
    this.latents = latents;
    this.prompts = prompts;
    this.flux = flux;
    this.#packing = packing;
    this.#grid = imageSize / latents.factor / packing;
    this.#guidance = distilledGuidance;
  }

  /** Tokens of a picture, and channels of each. */
  get tokenShape(): [tokens: number, channels: number] {
    return [this.#grid ** 2, this.latents.latentChannels * this.#packing ** 2];
  }

  /** Pictures `[B, 3, S, S]` in [−1, 1] → x₀, image tokens `[B, N, C]`. */
  tokens(pictures: Tensor): Tensor {
    return scope(() => patchify(this.latents.encode(pictures), this.#packing));
  }

  /** The inverse of {@link tokens}. */
  pictures(tokens: Tensor): Tensor {
    return scope(() => this.latents.decode(unpatchify(tokens, this.#packing)));
  }

  /** v(x_t, t): noisy tokens `[B, N, C]`, times `[B]` → velocity `[B, N, C]`, float32. */
  velocity(x: Tensor, t: Tensor, { txt, y }: Prompts, steering: Steering = {}): Tensor {
    return scope(() => {
      const guidance = this.flux.options.guidance ? t.mul(0).add(this.#guidance) : undefined;
      const [imgIds, txtIds] = [imagePositions(this.#grid), zeros([txt.shape[1], 3])];
      const input = { img: x, imgIds, txt, txtIds, y, timesteps: t, guidance };
      const conditions = typeof steering === "function" ? steering(input) : steering;
      const { checkpointBlocks } = this;
      return this.flux.forward({ ...input, ...conditions, checkpointBlocks }).float();
    });
  }
}

/** Positions (0, row, column) of a square picture's tokens, `[side², 3]`. */
export function imagePositions(side: number): Tensor {
  return scope(() => {
    const places = Array.from({ length: side * side }, (_, i) => [0, Math.floor(i / side), i % side]);
    return tensor(places, { dtype: "float32" });
  });
}

/** x_t = (1 − t) x₀ + t ε: `[B, N, C]`, t `[B]`. */
export function noised(x: Tensor, noise: Tensor, t: Tensor): Tensor {
  return scope(() => x.lerp(noise, t.view([-1, 1, 1])));
}

/** The velocity that the model has to learn, ε − x₀. */
export function flowTarget(x: Tensor, noise: Tensor): Tensor {
  return noise.sub(x);
}

/** Mean squared error of the velocity, one number a picture: `[B]`. */
export function flowError(velocity: Tensor, x: Tensor, noise: Tensor): Tensor {
  return scope(() => velocity.sub(flowTarget(x, noise)).square().mean([1, 2]));
}
