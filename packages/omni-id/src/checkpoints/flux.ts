import { ControlNet } from "../adapters/controlnet.ts";
import { IpAdapter } from "../adapters/ip-adapter.ts";
import { Flux } from "../backbones/flux.ts";
import { FLUX_DEV, type FluxOptions } from "../backbones/flux-options.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { CONTROLNET_DIFFUSERS_KEYS, fluxDiffusersKeys, IP_ADAPTER_DIFFUSERS_KEYS } from "./flux-keys.ts";
import { type KeyTable, SAME_KEYS } from "./key-table.ts";
import { type LoadModelOptions, loadModel } from "./load.ts";
import { openCheckpoint } from "./open.ts";

/** What weights do not tell. */
export interface FluxFileOptions extends LoadModelOptions {
  /** FLUX.1's when absent, for heads of 128 channels. */
  axes?: readonly number[];
  theta?: number;
  /** Depths to hold the file to; FLUX.1's for its width, else what the file has. */
  doubleBlocks?: number;
  singleBlocks?: number;
}

/**
 * FLUX from a file in Black Forest Labs' or in diffusers' layout; dev or schnell by whether it has guidance.
 * @param path a file, an index of shards, or their folder
 */
export function loadFlux(path: string, options: FluxFileOptions = {}): Flux {
  const checkpoint = openCheckpoint(path, "flux");
  const { table, sizes } = readFlux(checkpoint, options);
  return loadModel(checkpoint, () => new Flux(sizes), { ...options, table });
}

/** A FLUX file's sizes and names, from its header alone. @throws when it is no FLUX, or its heads need `axes` */
export function readFlux(
  checkpoint: Checkpoint,
  { axes, theta, doubleBlocks, singleBlocks }: FluxFileOptions = {},
): { table: KeyTable; sizes: FluxOptions } {
  const theirs = checkpoint.layout === "diffusers";
  if (!checkpoint.has(theirs ? "x_embedder.weight" : "img_in.weight")) {
    throw checkpoint.error(
      'no FLUX model: neither "img_in.weight" (Black Forest Labs) nor "x_embedder.weight" (diffusers) is in it',
    );
  }
  const names = theirs ? fluxDiffusersKeys({ width: 0 }) : SAME_KEYS;
  const shape = shapesOf(checkpoint, names);
  const [width, inChannels] = shape("img_in.weight");
  const heads = width / shape("double_blocks.0.img_attn.norm.query_norm.scale")[0];
  const mlpRatio = shape("double_blocks.0.img_mlp.0.weight")[0] / width;
  const known = width === FLUX_DEV.width;
  const sizes: FluxOptions = {
    inChannels,
    outChannels: shape("final_layer.linear.weight")[0],
    vectorWidth: shape("vector_in.in_layer.weight")[1],
    contextWidth: shape("txt_in.weight")[1],
    width,
    heads,
    mlpRatio,
    doubleBlocks:
      doubleBlocks ??
      (known ? FLUX_DEV.doubleBlocks : checkpoint.count(theirs ? "transformer_blocks.*." : "double_blocks.*.")),
    singleBlocks:
      singleBlocks ??
      (known ? FLUX_DEV.singleBlocks : checkpoint.count(theirs ? "single_transformer_blocks.*." : "single_blocks.*.")),
    axes: axes ?? defaultAxes(checkpoint, width / heads),
    theta,
    qkvBias: checkpoint.has(names.place("double_blocks.0.img_attn.qkv.bias").keys[0]),
    guidance: checkpoint.has(names.place("guidance_in.in_layer.weight").keys[0]),
  };
  return { table: theirs ? fluxDiffusersKeys(sizes) : SAME_KEYS, sizes };
}

/** The IP-Adapter of a FLUX, in XLabs' or in diffusers' layout. @throws when it was made for another size of FLUX */
export function loadIpAdapter(path: string, flux: FluxOptions, options: LoadModelOptions = {}): IpAdapter {
  const checkpoint = openCheckpoint(path, "ip-adapter");
  const theirs = checkpoint.layout === "diffusers";
  const table = theirs ? IP_ADAPTER_DIFFUSERS_KEYS : SAME_KEYS;
  const shape = shapesOf(checkpoint, table);
  const [width, context] = shape("double_blocks.0.processor.ip_adapter_double_stream_k_proj.weight");
  const blocks = checkpoint.count(theirs ? "ip_adapter.*." : "double_blocks.*.");
  if (width !== flux.width || blocks !== flux.doubleBlocks) {
    throw checkpoint.error(
      `an IP-Adapter for ${blocks} double blocks of width ${width}, but this FLUX has ${flux.doubleBlocks} of width ${flux.width}; take the adapter of this model`,
    );
  }
  return loadModel(checkpoint, () => new IpAdapter({ context, flux }), { ...options, table });
}

/** The ControlNet of a FLUX, in XLabs' or in diffusers' layout. @throws when it was made for another size of FLUX */
export function loadControlNet(path: string, flux: FluxOptions, options: LoadModelOptions = {}): ControlNet {
  const checkpoint = openCheckpoint(path, "controlnet");
  const theirs = checkpoint.layout === "diffusers";
  const table = theirs ? CONTROLNET_DIFFUSERS_KEYS : SAME_KEYS;
  const shape = shapesOf(checkpoint, table);
  const [width] = shape("pos_embed_input.weight");
  if (width !== flux.width) {
    throw checkpoint.error(
      `a ControlNet for FLUX of width ${width}, but this one has ${flux.width}; take the ControlNet of this model`,
    );
  }
  const [channels] = shape("input_hint_block.0.weight");
  const blocks = checkpoint.count("controlnet_blocks.*.");
  return loadModel(checkpoint, () => new ControlNet({ flux, blocks, hint: { channels } }), { ...options, table });
}

/** Shapes by our keys. @throws when a tensor is missing */
function shapesOf(checkpoint: Checkpoint, table: KeyTable): (key: string) => readonly number[] {
  return (key) => {
    const [theirs] = table.place(key).keys;
    if (checkpoint.has(theirs)) return checkpoint.shape(theirs);
    throw checkpoint.error(
      `"${theirs}" is missing; the file is incomplete or of another model: \`omni-id models\` says which is wanted`,
    );
  };
}

function defaultAxes(checkpoint: Checkpoint, headWidth: number): readonly number[] {
  if (headWidth === FLUX_DEV.width / FLUX_DEV.heads) return FLUX_DEV.axes;
  throw checkpoint.error(`its heads have ${headWidth} channels: say with \`axes\` how positions turn them`);
}
