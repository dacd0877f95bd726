/** What a checkpoint can be: the networks that are loaded here, and those that are told apart from them. */
export type Family =
  | "flux"
  | "flux2"
  | "autoencoder"
  | "flux2-autoencoder"
  | "t5"
  | "clip-text"
  | "clip-vision"
  | "qwen3"
  | "ip-adapter"
  | "controlnet";

/** Whose names its tensors have: those that we keep (Black Forest Labs', XLabs', Hugging Face's), or diffusers'. */
export type Layout = "ours" | "diffusers";

export interface FamilyRule {
  family: Family;
  /** For people, with its article. */
  what: string;
  /** Tensors that only such a network has, by layout; what stands before the first of them is the file's wrapper. */
  signs: Readonly<Partial<Record<Layout, readonly string[]>>>;
  /** Networks that have these signs too, and more. */
  unless?: readonly Family[];
  /** Other spellings of its names, and ours. */
  spellings?: readonly (readonly [RegExp, string])[];
  /** A tensor that some files have once more under another name, or only there. */
  standIns?: Readonly<Record<string, string>>;
  /** Tensors under the same wrapper that are no part of it: the other half of a CLIP, the decoder of a T5. */
  beside?: RegExp;
}

const norms: FamilyRule["spellings"] = [
  [/\.(query_norm|key_norm)\.weight$/, ".$1.scale"],
  [/\.(norm(_added)?_[qk])\.scale$/, ".$1.weight"],
];

export const FAMILIES: readonly FamilyRule[] = [
  {
    family: "flux",
    what: "a FLUX.1",
    signs: {
      ours: ["double_blocks.0.img_mod.lin.weight", "double_blocks.0.img_attn.qkv.weight"],
      diffusers: ["transformer_blocks.0.norm1_context.linear.weight", "transformer_blocks.0.attn.add_q_proj.weight"],
    },
    unless: ["controlnet"],
    spellings: norms,
  },
  {
    family: "flux2",
    what: "a FLUX.2",
    signs: {
      ours: ["double_stream_modulation_img.lin.weight", "double_blocks.0.img_attn.qkv.weight"],
      diffusers: ["double_stream_modulation_img.linear.weight", "transformer_blocks.0.attn.add_q_proj.weight"],
    },
    spellings: norms,
  },
  {
    family: "controlnet",
    what: "a ControlNet of a FLUX",
    signs: {
      ours: ["controlnet_blocks.0.weight", "double_blocks.0.img_attn.qkv.weight"],
      diffusers: ["controlnet_blocks.0.weight", "transformer_blocks.0.attn.add_q_proj.weight"],
    },
    spellings: norms,
  },
  {
    family: "ip-adapter",
    what: "an IP-Adapter of a FLUX",
    signs: {
      ours: ["double_blocks.0.processor.ip_adapter_double_stream_k_proj.weight"],
      diffusers: ["ip_adapter.0.to_k_ip.weight"],
    },
    // XLabs' and diffusers' files begin with a projection of CLIP's image vector, whose place the identity takes.
    beside: /^(ip_adapter_proj_model|image_proj)\./,
  },
  {
    family: "autoencoder",
    what: "an autoencoder of FLUX.1's kind",
    signs: {
      ours: ["encoder.down.0.block.0.conv1.weight"],
      diffusers: ["encoder.down_blocks.0.resnets.0.conv1.weight"],
    },
    unless: ["flux2-autoencoder"],
    // diffusers before 0.18
    spellings: [
      [/\.attentions\.0\.(query|key|value)\./, ".attentions.0.to_$1."],
      [/\.to_(q|k|v)(uery|ey|alue)\./, ".to_$1."],
      [/\.attentions\.0\.proj_attn\./, ".attentions.0.to_out.0."],
    ],
  },
  {
    family: "flux2-autoencoder",
    what: "an autoencoder of FLUX.2's kind",
    signs: {
      ours: ["bn.running_mean", "encoder.down.0.block.0.conv1.weight"],
      diffusers: ["bn.running_mean", "encoder.down_blocks.0.resnets.0.conv1.weight"],
    },
  },
  {
    family: "t5",
    what: "a T5",
    signs: { ours: ["encoder.block.0.layer.0.SelfAttention.q.weight"] },
    standIns: { "shared.weight": "encoder.embed_tokens.weight" },
    beside: /^((decoder|lm_head)\.|encoder\.embed_tokens\.weight$)/,
  },
  {
    family: "clip-text",
    what: "a CLIP text encoder",
    signs: { ours: ["text_model.embeddings.token_embedding.weight"] },
    beside: /^(vision_model|visual_projection|text_projection)\./,
  },
  {
    family: "clip-vision",
    what: "a CLIP image encoder",
    signs: { ours: ["vision_model.embeddings.class_embedding"] },
    beside: /^(text_model|text_projection|visual_projection)\./,
  },
  {
    family: "qwen3",
    what: "a Qwen3",
    signs: { ours: ["layers.0.self_attn.q_norm.weight", "layers.0.mlp.gate_proj.weight"] },
    beside: /^lm_head\./,
  },
];

export function ruleOf(family: Family): FamilyRule {
  const rule = FAMILIES.find((one) => one.family === family);
  if (!rule) throw new Error(`no family of checkpoints is called ${family}`);
  return rule;
}
