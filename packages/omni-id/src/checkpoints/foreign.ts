import type { Family } from "./families.ts";

/** A file that is none of the networks which are loaded here, and what to do about it. */
export interface Foreign {
  what: string;
  advice?: string;
}

const MERGE = "it changes a model and is none: merge it into its model, or give the model's own file";

/** LoRAs by the layouts that circulate. */
const LORAS: readonly (readonly [RegExp, string])[] = [
  [/^lora_(unet|te\d?|transformer|prior)_.*\.(lora_(down|up)|alpha|hada_w|lokr_w|dora_scale)/, "kohya's layout"],
  [/\.processor\.(qkv|proj)_lora\d*\.(down|up)\.weight$/, "XLabs' layout"],
  [/\.lora_(A|B|embedding_A|embedding_B|magnitude_vector)(\.[^.]+)?(\.weight)?$/, "PEFT's layout"],
  [/(\.|_)(lora_(down|up)|lora\.(down|up))\.weight$/, "diffusers' older layout"],
  [
    /\.(hada_w\d|lokr_w\d|oft_(blocks|diag)|lokr_t\d|hada_t\d|dora_scale|diff|diff_b|set_weight)(_[ab])?$/,
    "LyCORIS' layout",
  ],
];

/** A LoRA's layout, if that is what a file is. */
export function loraOf(keys: readonly string[]): string | undefined {
  return LORAS.find(([sign]) => keys.some((key) => sign.test(key)))?.[1];
}

const OTHERS: readonly (readonly [sign: RegExp, what: string, advice?: string])[] = [
  [/(^|\.)distilled_guidance_layer\./, "a Chroma"],
  [/(^|\.)joint_blocks\.0\./, "a Stable Diffusion 3"],
  [/(^|\.)input_blocks\.0\.0\.weight$/, "a Stable Diffusion U-Net"],
  [/(^|\.)down_blocks\.0\.resnets\.0\.time_emb_proj\.weight$/, "a Stable Diffusion U-Net"],
  [
    /(^|\.)visual\.transformer\.resblocks\.0\./,
    "a CLIP in OpenCLIP's layout",
    "take the file in Hugging Face's layout, model.safetensors of the same repository",
  ],
  [
    /(^|\.)transformer\.resblocks\.0\./,
    "a CLIP text encoder in OpenCLIP's layout",
    "take the file in Hugging Face's layout",
  ],
  [/(^|\.)(enc|dec)\.blk\.0\.|^blk\.0\./, "a network in llama.cpp's layout"],
  [/(^|\.)(decoder|encoder)\.layers?\.0\.|(^|\.)layers\.0\.self_attn\./, "a language model"],
  [/^(emb_params|string_to_param|clip_[lg]|t5xxl)$/, "a textual inversion"],
  [/^identity$/, "an identity of Omni-ID"],
];

/** What a file is that holds none of our networks; undefined where nothing in it is known. */
export function foreignOf(keys: readonly string[]): Foreign | undefined {
  const layout = loraOf(keys);
  if (layout) return { what: `a LoRA (${layout})`, advice: MERGE };
  const other = OTHERS.find(([sign]) => keys.some((key) => sign.test(key)));
  return other && { what: other[1], advice: other[2] };
}

/** Names that tell which network is wanted, for errors about a file that is something else. */
export const WANTED_NAMES: Readonly<Record<Family, string>> = {
  flux: "FLUX model",
  flux2: "FLUX.2 model",
  autoencoder: "FLUX autoencoder",
  "flux2-autoencoder": "FLUX.2 autoencoder",
  t5: "T5 v1.1 encoder",
  "clip-text": "CLIP text encoder",
  "clip-vision": "CLIP image encoder",
  qwen3: "Qwen3",
  "ip-adapter": "IP-Adapter of a FLUX",
  controlnet: "ControlNet of a FLUX",
};
