import { type KeyRule, KeyTable } from "./key-table.ts";

const double = "transformer_blocks.*";
const single = "single_transformer_blocks.*";

/** What FLUX.2 has of FLUX.1's names, and what it calls otherwise, stands in the same order as in `flux-keys.ts`. */
const streams: readonly KeyRule[] = [
  { side: "img", to: (x: string) => `to_${x}`, norm: "norm", out: "to_out.0", mlp: "ff" },
  { side: "txt", to: (x: string) => `add_${x}_proj`, norm: "norm_added", out: "to_add_out", mlp: "ff_context" },
].flatMap(({ side, to, norm, out, mlp }): KeyRule[] => {
  const ours = `double_blocks.*.${side}`;
  return [
    { ours: `double_stream_modulation_${side}.lin`, theirs: `double_stream_modulation_${side}.linear` },
    { ours: `${ours}_attn.qkv`, theirs: ["q", "k", "v"].map((x) => `${double}.attn.${to(x)}`) },
    { ours: `${ours}_attn.norm.query_norm.scale`, theirs: `${double}.attn.${norm}_q.weight` },
    { ours: `${ours}_attn.norm.key_norm.scale`, theirs: `${double}.attn.${norm}_k.weight` },
    { ours: `${ours}_attn.proj`, theirs: `${double}.attn.${out}` },
    // The halves of the gated MLP are in the same order on both sides.
    { ours: `${ours}_mlp.0`, theirs: `${double}.${mlp}.linear_in` },
    { ours: `${ours}_mlp.2`, theirs: `${double}.${mlp}.linear_out` },
  ];
});

/** FLUX.2 ↔ diffusers' Flux2Transformer2DModel (scripts/convert_flux2_to_diffusers.py there). */
export const FLUX2_DIFFUSERS_KEYS = new KeyTable([
  { ours: "img_in", theirs: "x_embedder" },
  { ours: "txt_in", theirs: "context_embedder" },
  { ours: "time_in.in_layer", theirs: "time_guidance_embed.timestep_embedder.linear_1" },
  { ours: "time_in.out_layer", theirs: "time_guidance_embed.timestep_embedder.linear_2" },
  { ours: "guidance_in.in_layer", theirs: "time_guidance_embed.guidance_embedder.linear_1" },
  { ours: "guidance_in.out_layer", theirs: "time_guidance_embed.guidance_embedder.linear_2" },
  ...streams,
  { ours: "single_stream_modulation.lin", theirs: "single_stream_modulation.linear" },
  // Queries, keys, values and MLP stay one matrix.
  { ours: "single_blocks.*.linear1", theirs: `${single}.attn.to_qkv_mlp_proj` },
  { ours: "single_blocks.*.linear2", theirs: `${single}.attn.to_out` },
  { ours: "single_blocks.*.norm.query_norm.scale", theirs: `${single}.attn.norm_q.weight` },
  { ours: "single_blocks.*.norm.key_norm.scale", theirs: `${single}.attn.norm_k.weight` },
  { ours: "final_layer.linear", theirs: "proj_out" },
  { ours: "final_layer.adaLN_modulation.1", theirs: "norm_out.linear", halvesSwapped: true },
]);
