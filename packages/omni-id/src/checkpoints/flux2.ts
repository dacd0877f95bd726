import { Flux } from "../backbones/flux.ts";
import { FLUX2_KLEIN, type FluxOptions } from "../backbones/flux-options.ts";
import { QWEN3_4B, Qwen3, type Qwen3Options } from "../backbones/qwen3.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Reading } from "./encoders.ts";
import { FLUX2_DIFFUSERS_KEYS } from "./flux2-keys.ts";
import { SAME_KEYS } from "./key-table.ts";
import { type LoadModelOptions, loadModel } from "./load.ts";
import { openCheckpoint } from "./open.ts";

/** Channels of a head in every published FLUX.2 and Qwen3; small models of tests have others. */
const HEAD_WIDTH = 128;

/** The sizes of FLUX.2 that are published under another licence, by their width. */
const OTHERS: Readonly<Record<number, string>> = {
  4096: "FLUX.2 [klein] 9B, which is larger and under the FLUX Non-Commercial License",
  6144: "FLUX.2 [dev], which has 32 billion parameters and is under the FLUX Non-Commercial License",
};

/**
 * FLUX.2 [klein] 4B, distilled or Base (their files cannot be told apart), in Black Forest Labs' or in diffusers'
 * layout.
 * @param path a file, an index of shards, or their folder
 */
export function loadFlux2(path: string, options: LoadModelOptions = {}): Flux {
  const checkpoint = openCheckpoint(path, "flux2");
  const { table, sizes } = readFlux2(checkpoint);
  return loadModel(checkpoint, () => new Flux(sizes), { ...options, table });
}

/** A FLUX.2 file's sizes and names, from its header alone. @throws when it is a larger one than klein 4B */
export function readFlux2(checkpoint: Checkpoint): Reading<FluxOptions> {
  const theirs = checkpoint.layout === "diffusers";
  const table = theirs ? FLUX2_DIFFUSERS_KEYS : SAME_KEYS;
  const shape = shapesOf(checkpoint, (key) => table.place(key).keys[0], "FLUX.2 model");
  const [width, inChannels] = shape("img_in.weight");
  const [headWidth] = shape("double_blocks.0.img_attn.norm.query_norm.scale");
  const full = headWidth === HEAD_WIDTH;
  if (full && width !== FLUX2_KLEIN.width) {
    const which = OTHERS[width] ?? `a FLUX.2 of width ${width}`;
    throw checkpoint.error(`it is ${which}; take FLUX.2 [klein] 4B or klein-base 4B (Apache-2.0)`);
  }
  const { doubleBlocks, singleBlocks } = full
    ? FLUX2_KLEIN
    : {
        doubleBlocks: checkpoint.count(theirs ? "transformer_blocks.*." : "double_blocks.*."),
        singleBlocks: checkpoint.count(theirs ? "single_transformer_blocks.*." : "single_blocks.*."),
      };
  const sizes: FluxOptions = {
    generation: 2,
    inChannels,
    outChannels: shape("final_layer.linear.weight")[0],
    vectorWidth: 0,
    contextWidth: shape("txt_in.weight")[1],
    width,
    heads: width / headWidth,
    mlpRatio: shape("double_blocks.0.img_mlp.2.weight")[1] / width,
    doubleBlocks,
    singleBlocks,
    axes: [1, 2, 3, 4].map(() => headWidth / 4),
    guidance: checkpoint.has(table.place("guidance_in.in_layer.weight").keys[0]),
  };
  return { table, sizes };
}

/**
 * Qwen3 as FLUX.2's text encoder, from Hugging Face's layout: as many of its layers as are read.
 * @throws when it is a Qwen3 of another size than the 4B
 */
export function loadQwen3(
  path: string,
  { outputs, ...options }: LoadModelOptions & { outputs?: readonly number[] } = {},
): Qwen3 {
  const checkpoint = openCheckpoint(path, "qwen3");
  const { sizes, table } = readQwen3(checkpoint, outputs);
  const last = Math.max(...sizes.outputs);
  const ignore = (name: string) => name === "norm.weight" || Number(/^layers\.(\d+)\./.exec(name)?.[1]) >= last;
  return loadModel(checkpoint, () => new Qwen3(sizes), { ...options, table, ignore });
}

/** @throws when it is of another size */
export function readQwen3(checkpoint: Checkpoint, outputs = QWEN3_4B.outputs): Reading<Qwen3Options> {
  const shape = shapesOf(checkpoint, (key) => key, "Qwen3");
  const [vocabulary, width] = shape("embed_tokens.weight");
  const [headWidth] = shape("layers.0.self_attn.q_norm.weight");
  if (headWidth === HEAD_WIDTH && width !== QWEN3_4B.width) {
    throw checkpoint.error(
      `it is a Qwen3 of width ${width}; FLUX.2 [klein] 4B reads Qwen3-4B, whose width is ${QWEN3_4B.width}: take that one`,
    );
  }
  const layers = headWidth === HEAD_WIDTH ? QWEN3_4B.layers : checkpoint.count("layers.*.");
  const sizes = {
    vocabulary,
    width,
    layers,
    heads: shape("layers.0.self_attn.q_proj.weight")[0] / headWidth,
    keyHeads: shape("layers.0.self_attn.k_proj.weight")[0] / headWidth,
    headWidth,
    mlp: shape("layers.0.mlp.gate_proj.weight")[0],
    outputs,
  };
  return { table: SAME_KEYS, sizes };
}

function shapesOf(
  checkpoint: Checkpoint,
  name: (key: string) => string,
  model: string,
): (key: string) => readonly number[] {
  return (key) => {
    if (checkpoint.has(name(key))) return checkpoint.shape(name(key));
    throw checkpoint.error(
      `half a ${model}: "${name(key)}" is missing; fetch it again, or see \`omni-id models\` for which is wanted`,
    );
  };
}
