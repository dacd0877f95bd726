import {
  type AutoencoderOptions,
  FLUX_AUTOENCODER,
  Flux2Autoencoder,
  FluxAutoencoder,
  type FluxAutoencoderOptions,
} from "../backbones/autoencoder.ts";
import { CLIP_L_TEXT, ClipTextModel, type ClipTextOptions } from "../backbones/clip-text.ts";
import { T5_XXL, T5Encoder, type T5Options } from "../backbones/t5.ts";
import { autoencoderDiffusersKeys } from "./autoencoder-keys.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { type KeyTable, SAME_KEYS } from "./key-table.ts";
import { type LoadModelOptions, loadModel } from "./load.ts";
import { openCheckpoint } from "./open.ts";

/** A model's file: how it is read. */
export interface Reading<Sizes> {
  table: KeyTable;
  sizes: Sizes;
}

/** T5's encoder, from Hugging Face's layout; a decoder in the same file is left out. */
export function loadT5(path: string, options: LoadModelOptions = {}): T5Encoder {
  const checkpoint = openCheckpoint(path, "t5");
  const { sizes, ...reading } = readT5(checkpoint);
  return loadModel(checkpoint, () => new T5Encoder(sizes), { ...options, ...reading });
}

/** @throws when it is no T5 v1.1 */
export function readT5(checkpoint: Checkpoint): Reading<T5Options> {
  const shape = shapesOf(checkpoint, "T5 v1.1 encoder");
  const attention = "encoder.block.0.layer.0.SelfAttention";
  const [vocabulary, width] = shape("shared.weight");
  const [buckets, heads] = shape(`${attention}.relative_attention_bias.weight`);
  return {
    table: SAME_KEYS,
    sizes: {
      vocabulary,
      width,
      heads,
      headWidth: shape(`${attention}.q.weight`)[0] / heads,
      hidden: shape("encoder.block.0.layer.1.DenseReluDense.wi_0.weight")[0],
      layers: width === T5_XXL.width ? T5_XXL.layers : checkpoint.count("encoder.block.*."),
      buckets,
    },
  };
}

/** CLIP's text encoder, from Hugging Face's layout; an image encoder in the same file is left out. */
export function loadClipText(path: string, options: LoadModelOptions = {}): ClipTextModel {
  const checkpoint = openCheckpoint(path, "clip-text");
  const { sizes, ...reading } = readClipText(checkpoint);
  return loadModel(checkpoint, () => new ClipTextModel(sizes), { ...options, ...reading });
}

/** @throws when it is no CLIP */
export function readClipText(checkpoint: Checkpoint): Reading<ClipTextOptions> {
  const shape = shapesOf(checkpoint, "CLIP text encoder");
  const [vocabulary, width] = shape("text_model.embeddings.token_embedding.weight");
  return {
    table: SAME_KEYS,
    sizes: {
      vocabulary,
      width,
      length: shape("text_model.embeddings.position_embedding.weight")[0],
      layers: width === CLIP_L_TEXT.width ? CLIP_L_TEXT.layers : checkpoint.count("text_model.encoder.layers.*."),
      // CLIP's heads have 64 channels in every size, and OpenAI's weights want its own GELU.
      heads: Math.max(1, width / 64),
      mlp: shape("text_model.encoder.layers.0.mlp.fc1.weight")[0],
      activation: CLIP_L_TEXT.activation,
    },
  };
}

/** The FLUX autoencoder, from Black Forest Labs' or from diffusers' layout. */
export function loadAutoencoder(path: string, options: LoadModelOptions & { groups?: number } = {}): FluxAutoencoder {
  const checkpoint = openCheckpoint(path, "autoencoder");
  const { sizes, ...reading } = readAutoencoder(checkpoint);
  const { groups } = options;
  return loadModel(checkpoint, () => new FluxAutoencoder({ ...sizes, groups }), { ...options, ...reading });
}

/** @throws when it is no autoencoder of that kind */
export function readAutoencoder(checkpoint: Checkpoint): Reading<FluxAutoencoderOptions> {
  const theirs = checkpoint.layout === "diffusers";
  const { scale, shift } = FLUX_AUTOENCODER;
  const sizes = { ...autoencoderSizes(checkpoint), scale, shift };
  return { sizes, table: theirs ? autoencoderDiffusersKeys(sizes) : SAME_KEYS };
}

/** FLUX.2's autoencoder, with its own decoder or a narrower one, from either layout. */
export function loadFlux2Autoencoder(
  path: string,
  options: LoadModelOptions & { groups?: number } = {},
): Flux2Autoencoder {
  const checkpoint = openCheckpoint(path, "flux2-autoencoder");
  const { sizes, table } = readFlux2Autoencoder(checkpoint);
  const { groups } = options;
  return loadModel(checkpoint, () => new Flux2Autoencoder({ ...sizes, groups }), { ...options, table });
}

/** @throws when it is no autoencoder of that kind */
export function readFlux2Autoencoder(checkpoint: Checkpoint): Reading<AutoencoderOptions> {
  const theirs = checkpoint.layout === "diffusers";
  const [narrow] = shapesOf(
    checkpoint,
    "FLUX.2 autoencoder",
  )(theirs ? "decoder.conv_norm_out.weight" : "decoder.norm_out.weight");
  const sizes = autoencoderSizes(checkpoint);
  const decoderChannels = narrow / sizes.multipliers[0];
  return {
    sizes: { ...sizes, quantConvolutions: true, ...(decoderChannels === sizes.channels ? {} : { decoderChannels }) },
    table: theirs ? autoencoderDiffusersKeys(sizes) : SAME_KEYS,
  };
}

function autoencoderSizes(checkpoint: Checkpoint): AutoencoderOptions {
  const theirs = checkpoint.layout === "diffusers";
  const shape = shapesOf(checkpoint, "FLUX autoencoder");
  const first = (level: number) =>
    theirs ? `encoder.down_blocks.${level}.resnets.0.conv1.weight` : `encoder.down.${level}.block.0.conv1.weight`;
  const levels = checkpoint.count(theirs ? "encoder.down_blocks.*." : "encoder.down.*.");
  const [channels, pictureChannels] = shape("encoder.conv_in.weight");
  return {
    channels,
    pictureChannels,
    multipliers: Array.from({ length: levels }, (_, level) => shape(first(level))[0] / channels),
    resBlocks: checkpoint.count(theirs ? "encoder.down_blocks.0.resnets.*." : "encoder.down.0.block.*."),
    latentChannels: shape("decoder.conv_in.weight")[1],
  };
}

/** Shapes by key. @throws when a tensor that the sizes are read from is missing */
function shapesOf(checkpoint: Checkpoint, model: string): (key: string) => readonly number[] {
  return (key) => {
    if (checkpoint.has(key)) return checkpoint.shape(key);
    throw checkpoint.error(
      `no ${model}, or half of one: "${key}" is missing; \`omni-id models\` says which file is wanted`,
    );
  };
}
