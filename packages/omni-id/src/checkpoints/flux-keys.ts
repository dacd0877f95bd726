import type { FluxOptions } from "../backbones/flux-options.ts";
import { type KeyRule, KeyTable } from "./key-table.ts";

const trunk: readonly KeyRule[] = [
  { ours: "img_in", theirs: "x_embedder" },
  { ours: "txt_in", theirs: "context_embedder" },
  { ours: "time_in.in_layer", theirs: "time_text_embed.timestep_embedder.linear_1" },
  { ours: "time_in.out_layer", theirs: "time_text_embed.timestep_embedder.linear_2" },
  { ours: "guidance_in.in_layer", theirs: "time_text_embed.guidance_embedder.linear_1" },
  { ours: "guidance_in.out_layer", theirs: "time_text_embed.guidance_embedder.linear_2" },
  { ours: "vector_in.in_layer", theirs: "time_text_embed.text_embedder.linear_1" },
  { ours: "vector_in.out_layer", theirs: "time_text_embed.text_embedder.linear_2" },
  ...[
    { side: "img", to: (x: string) => `to_${x}`, norm: "norm", out: "to_out.0", mod: "norm1", mlp: "ff" },
    {
      side: "txt",
      to: (x: string) => `add_${x}_proj`,
      norm: "norm_added",
      out: "to_add_out",
      mod: "norm1_context",
      mlp: "ff_context",
    },
  ].flatMap(({ side, to, norm, out, mod, mlp }): KeyRule[] => {
    const [ours, theirs] = [`double_blocks.*.${side}`, "transformer_blocks.*"];
    return [
      { ours: `${ours}_mod.lin`, theirs: `${theirs}.${mod}.linear` },
      { ours: `${ours}_attn.qkv`, theirs: ["q", "k", "v"].map((x) => `${theirs}.attn.${to(x)}`) },
      { ours: `${ours}_attn.norm.query_norm.scale`, theirs: `${theirs}.attn.${norm}_q.weight` },
      { ours: `${ours}_attn.norm.key_norm.scale`, theirs: `${theirs}.attn.${norm}_k.weight` },
      { ours: `${ours}_attn.proj`, theirs: `${theirs}.attn.${out}` },
      { ours: `${ours}_mlp.0`, theirs: `${theirs}.${mlp}.net.0.proj` },
      { ours: `${ours}_mlp.2`, theirs: `${theirs}.${mlp}.net.2` },
    ];
  }),
];

/** FLUX ↔ diffusers' FluxTransformer2DModel (scripts/convert_flux_to_diffusers.py there). */
export function fluxDiffusersKeys({ width, mlpRatio = 4 }: Pick<FluxOptions, "width" | "mlpRatio">): KeyTable {
  const single = "single_transformer_blocks.*";
  return new KeyTable([
    ...trunk,
    {
      ours: "single_blocks.*.linear1",
      theirs: [...["q", "k", "v"].map((x) => `${single}.attn.to_${x}`), `${single}.proj_mlp`],
      rows: [width, width, width, Math.trunc(width * mlpRatio)],
    },
    { ours: "single_blocks.*.linear2", theirs: `${single}.proj_out` },
    { ours: "single_blocks.*.modulation.lin", theirs: `${single}.norm.linear` },
    { ours: "single_blocks.*.norm.query_norm.scale", theirs: `${single}.attn.norm_q.weight` },
    { ours: "single_blocks.*.norm.key_norm.scale", theirs: `${single}.attn.norm_k.weight` },
    { ours: "final_layer.linear", theirs: "proj_out" },
    { ours: "final_layer.adaLN_modulation.1", theirs: "norm_out.linear", halvesSwapped: true },
  ]);
}

/** IP-Adapter of XLabs ↔ diffusers. */
export const IP_ADAPTER_DIFFUSERS_KEYS = new KeyTable(
  ["k", "v"].map((x) => ({
    ours: `double_blocks.*.processor.ip_adapter_double_stream_${x}_proj`,
    theirs: `ip_adapter.*.to_${x}_ip`,
  })),
);

/** ControlNet of XLabs ↔ diffusers' FluxControlNetModel with a conditioning embedding, of upstream's eight layers. */
export const CONTROLNET_DIFFUSERS_KEYS = new KeyTable([
  ...trunk,
  { ours: "controlnet_blocks.*", theirs: "controlnet_blocks.*" },
  { ours: "pos_embed_input", theirs: "controlnet_x_embedder" },
  { ours: "input_hint_block.0", theirs: "input_hint_block.conv_in" },
  { ours: "input_hint_block.14", theirs: "input_hint_block.conv_out" },
  { ours: "input_hint_block.*", theirs: "input_hint_block.blocks.*", numbers: ([i]) => [i / 2 - 1] },
]);
