import type { Tensor } from "@omni-id/torch";
import { z } from "zod";
import { ClipVisionModel } from "../backbones/clip.ts";
import { ClipTextModel } from "../backbones/clip-text.ts";
import { T5Encoder } from "../backbones/t5.ts";
import type { GoldenFile } from "./golden-file.ts";
import { type Output, size } from "./output.ts";

const clipConfig = z.object({
  image_size: size,
  patch_size: size,
  hidden_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  intermediate_size: size,
  projection_dim: size,
  hidden_act: z.enum(["gelu", "quick_gelu"]),
  vocab_size: size,
  max_position_embeddings: size,
  text_hidden: size,
  text_heads: size,
  text_layers: size,
});

/** Tensors of checkpoints that are no weights. */
const isStray = (key: string) => key.endsWith("position_ids") || key === "logit_scale";

/** CLIP's two towers. */
export function* clipOutputs(file: GoldenFile): Generator<Output> {
  const config = file.config(clipConfig);
  const weights = file.part("weights.");
  const below = (...prefixes: string[]) =>
    new Map([...weights].filter(([key]) => prefixes.some((prefix) => key.startsWith(prefix)) && !isStray(key)));
  const activation = config.hidden_act;

  const seen = below("vision_model.", "visual_projection.");
  if (seen.size > 0) {
    const vision = new ClipVisionModel({
      imageSize: config.image_size,
      patchSize: config.patch_size,
      width: config.hidden_size,
      layers: config.num_hidden_layers,
      heads: config.num_attention_heads,
      mlp: config.intermediate_size,
      activation,
      projection: seen.has("visual_projection.weight") ? config.projection_dim : undefined,
    });
    vision.loadStateDict(seen);
    const states = vision.forward(file.get("io.pixel_values"));
    yield { key: "io.last_hidden_state", value: () => states };
    yield { key: "io.image_embeds", value: () => vision.embed(states) };
  }

  const read = below("text_model.", "text_projection.");
  if (read.size > 0) {
    const text = new ClipTextModel({
      vocabulary: config.vocab_size,
      length: config.max_position_embeddings,
      width: config.text_hidden,
      layers: config.text_layers,
      heads: config.text_heads,
      // The metadata names the vision tower's only.
      mlp: read.get("text_model.encoder.layers.0.mlp.fc1.weight")?.shape[0] ?? config.intermediate_size,
      activation,
      projection: read.has("text_projection.weight") ? config.projection_dim : undefined,
    });
    text.loadStateDict(read);
    yield { key: "io.text_embeds", value: () => text.forward(file.get("io.input_ids")) };
  }
}

const t5Config = z.object({
  vocab_size: size,
  d_model: size,
  d_kv: size,
  d_ff: size,
  num_layers: size,
  num_heads: size,
  feed_forward_proj: z.literal("gated-gelu").default("gated-gelu"),
  relative_attention_num_buckets: size.default(32),
  relative_attention_max_distance: size.default(128),
});

/** The T5 encoder. */
export function* t5Outputs(file: GoldenFile): Generator<Output> {
  const config = file.config(t5Config);
  const t5 = new T5Encoder({
    vocabulary: config.vocab_size,
    width: config.d_model,
    heads: config.num_heads,
    headWidth: config.d_kv,
    hidden: config.d_ff,
    layers: config.num_layers,
    buckets: config.relative_attention_num_buckets,
    maxDistance: config.relative_attention_max_distance,
  });
  const weights = new Map<string, Tensor>(file.part("weights."));
  weights.delete("encoder.embed_tokens.weight"); // `shared.weight` once more
  t5.loadStateDict(weights);
  yield { key: "io.last_hidden_state", value: () => t5.forward(file.get("io.input_ids")) };
}
