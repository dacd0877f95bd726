import type { Tensor } from "@omni-id/torch";
import { z } from "zod";
import { ControlNet } from "../adapters/controlnet.ts";
import { IpAdapter } from "../adapters/ip-adapter.ts";
import { FluxAutoencoder } from "../backbones/autoencoder.ts";
import { Flux } from "../backbones/flux.ts";
import type { FluxOptions } from "../backbones/flux-options.ts";
import type { FluxInput } from "../backbones/flux-trunk.ts";
import type { GoldenFile } from "./golden-file.ts";
import { type Output, size } from "./output.ts";

const fluxConfig = z.object({
  in_channels: size,
  vec_in_dim: size,
  context_in_dim: size,
  hidden_size: size,
  mlp_ratio: z.number().positive(),
  num_heads: size,
  depth: size,
  depth_single_blocks: z.int().nonnegative(),
  axes_dim: z.array(size).min(1),
  theta: z.number().positive(),
  qkv_bias: z.boolean(),
  guidance_embed: z.boolean(),
});

const autoencoderConfig = z.object({
  ch: z.coerce.number().pipe(size),
  ch_mult: z
    .string()
    .transform((text) => text.split(",").map(Number))
    .pipe(z.array(size).min(1)),
  res_blocks: z.coerce.number().pipe(size),
  z: z.coerce.number().pipe(size),
  scale: z.coerce.number(),
  shift: z.coerce.number(),
  groups: z.coerce.number().pipe(size).default(32),
});

/** FLUX, and what the file has of IP-Adapter, ControlNet and autoencoder. */
export function* fluxOutputs(file: GoldenFile): Generator<Output> {
  const has = (prefix: string) => file.keys().some((key) => key.startsWith(prefix));
  if (has("flux.")) yield* transformerOutputs(file, has);
  if (has("ae.")) yield* autoencoderOutputs(file);
}

function* transformerOutputs(file: GoldenFile, has: (prefix: string) => boolean): Generator<Output> {
  const options = optionsOf(file);
  const input = inputOf(file, options);
  const flux = new Flux(options);
  flux.loadStateDict(file.part("flux.weights."));
  yield { key: "flux.io.output", value: () => flux.forward(input) };

  const identity = has("ip.") ? identityOf(file, options) : undefined;
  if (identity) yield { key: "ip.io.output", value: () => flux.forward({ ...input, identity }) };
  if (!has("controlnet.")) return;

  const controlnet = controlNetOf(file, options);
  const residuals = controlnet.forward({ ...input, condition: file.get("controlnet.io.cond") });
  for (const [i, residual] of residuals.entries()) {
    yield { key: `controlnet.io.residual.${i}`, value: () => residual };
  }
  // XLabs' FLUX takes residual i mod 2, however many there are.
  const used = residuals.slice(0, 2);
  yield { key: "controlnet.io.output", value: () => flux.forward({ ...input, identity, residuals: used }) };
}

function optionsOf(file: GoldenFile): FluxOptions {
  const config = file.config(fluxConfig);
  return {
    inChannels: config.in_channels,
    vectorWidth: config.vec_in_dim,
    contextWidth: config.context_in_dim,
    width: config.hidden_size,
    heads: config.num_heads,
    mlpRatio: config.mlp_ratio,
    doubleBlocks: config.depth,
    singleBlocks: config.depth_single_blocks,
    axes: config.axes_dim,
    theta: config.theta,
    qkvBias: config.qkv_bias,
    guidance: config.guidance_embed,
  };
}

function inputOf(file: GoldenFile, { guidance }: FluxOptions): FluxInput {
  const io = (name: string) => file.get(`flux.io.${name}`);
  return {
    img: io("img"),
    imgIds: io("img_ids"),
    txt: io("txt"),
    txtIds: io("txt_ids"),
    timesteps: io("timesteps"),
    y: io("y"),
    guidance: guidance ? io("guidance") : undefined,
  };
}

function identityOf(file: GoldenFile, flux: FluxOptions): Required<FluxInput>["identity"] {
  const context = Number(file.metadata("ip_context_dim"));
  const adapter = new IpAdapter({ context, flux });
  adapter.loadStateDict(file.part("ip.weights."));
  const scale = file.get("ip.io.scale");
  return { tokens: file.get("ip.io.image_proj"), adapter, scale: scale.numel === 1 ? scale.item() : scale };
}

function controlNetOf(file: GoldenFile, flux: FluxOptions): ControlNet {
  const weights = file.part("controlnet.weights.");
  const channels = weights.get("input_hint_block.0.weight")?.shape[0];
  const controlnet = new ControlNet({ flux, blocks: Number(file.metadata("controlnet_depth")), hint: { channels } });
  controlnet.loadStateDict(weights);
  return controlnet;
}

function* autoencoderOutputs(file: GoldenFile): Generator<Output> {
  const config = file.assignments("ae", autoencoderConfig);
  const autoencoder = new FluxAutoencoder({
    channels: config.ch,
    multipliers: config.ch_mult,
    resBlocks: config.res_blocks,
    latentChannels: config.z,
    groups: config.groups,
    scale: config.scale,
    shift: config.shift,
  });
  autoencoder.loadStateDict(file.part("ae.weights."));
  yield { key: "ae.io.moments", value: () => autoencoder.moments(file.get("ae.io.image")) };
  const mean = (): Tensor => file.get("ae.io.moments").narrow(1, 0, config.z);
  yield { key: "ae.io.decoded_from_mean", value: () => autoencoder.decoder.forward(mean()) };
  yield { key: "ae.io.decode", value: () => autoencoder.decode(mean()) };
}
