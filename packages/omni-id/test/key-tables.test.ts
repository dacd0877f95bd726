import { manualSeed, type nn, onDevice, type Tensor } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { ControlNet } from "../src/adapters/controlnet.ts";
import { IpAdapter } from "../src/adapters/ip-adapter.ts";
import { FLUX_AUTOENCODER, FluxAutoencoder } from "../src/backbones/autoencoder.ts";
import { CLIP_H, ClipVisionModel } from "../src/backbones/clip.ts";
import { CLIP_L_TEXT, ClipTextModel } from "../src/backbones/clip-text.ts";
import { Flux } from "../src/backbones/flux.ts";
import { FLUX_DEV, FLUX_SCHNELL } from "../src/backbones/flux-options.ts";
import { T5_XXL, T5Encoder } from "../src/backbones/t5.ts";
import { autoencoderDiffusersKeys } from "../src/checkpoints/autoencoder-keys.ts";
import {
  CONTROLNET_DIFFUSERS_KEYS,
  fluxDiffusersKeys,
  IP_ADAPTER_DIFFUSERS_KEYS,
} from "../src/checkpoints/flux-keys.ts";
import { type KeyTable, SAME_KEYS } from "../src/checkpoints/key-table.ts";
import { SMALL } from "./flux-small.ts";

const tiny = { ...SMALL, mlpRatio: 2.5 };
const tinyAutoencoder = { ...FLUX_AUTOENCODER, channels: 4, groups: 2, latentChannels: 2 };

describe.each<[string, () => nn.Module, KeyTable, () => nn.Module, KeyTable]>([
  ["FLUX.1-dev", () => new Flux(FLUX_DEV), fluxDiffusersKeys(FLUX_DEV), () => new Flux(tiny), fluxDiffusersKeys(tiny)],
  [
    "FLUX.1-schnell",
    () => new Flux(FLUX_SCHNELL),
    fluxDiffusersKeys(FLUX_SCHNELL),
    () => new Flux({ ...tiny, guidance: false }),
    fluxDiffusersKeys(tiny),
  ],
  [
    "the FLUX autoencoder",
    () => new FluxAutoencoder(FLUX_AUTOENCODER),
    autoencoderDiffusersKeys(FLUX_AUTOENCODER),
    () => new FluxAutoencoder(tinyAutoencoder),
    autoencoderDiffusersKeys(tinyAutoencoder),
  ],
  [
    "the IP-Adapter",
    () => new IpAdapter({ context: 4096, flux: FLUX_DEV }),
    IP_ADAPTER_DIFFUSERS_KEYS,
    () => new IpAdapter({ context: 6, flux: tiny }),
    IP_ADAPTER_DIFFUSERS_KEYS,
  ],
  [
    "ControlNet",
    () => new ControlNet({ flux: FLUX_DEV }),
    CONTROLNET_DIFFUSERS_KEYS,
    () => new ControlNet({ flux: tiny }),
    CONTROLNET_DIFFUSERS_KEYS,
  ],
  [
    "T5 v1.1-XXL",
    () => new T5Encoder(T5_XXL),
    SAME_KEYS,
    () => new T5Encoder({ ...T5_XXL, width: 8, heads: 2, headWidth: 4, hidden: 8, layers: 2, vocabulary: 9 }),
    SAME_KEYS,
  ],
  [
    "CLIP-L's text encoder",
    () => new ClipTextModel(CLIP_L_TEXT),
    SAME_KEYS,
    () => new ClipTextModel({ ...CLIP_L_TEXT, width: 8, heads: 2, mlp: 8, layers: 1, vocabulary: 9 }),
    SAME_KEYS,
  ],
  [
    "CLIP-H",
    () => new ClipVisionModel(CLIP_H),
    SAME_KEYS,
    () => new ClipVisionModel({ ...CLIP_H, width: 8, heads: 2, mlp: 8, layers: 1 }),
    SAME_KEYS,
  ],
])("names of %s", (_, full, fullTable, small, smallTable) => {
  it("go there and back on every key of the full size", () => {
    const ours = onDevice("meta", full).stateDict();
    const theirs = fullTable.toTheirs(ours);
    const shapes = (state: ReadonlyMap<string, Tensor>) => [...state].map(([key, { shape }]) => `${key} ${shape}`);
    const numbers = (state: ReadonlyMap<string, Tensor>) =>
      [...state.values()].reduce((sum, { numel }) => sum + numel, 0);
    expect(shapes(fullTable.toOurs(theirs, ours.keys()))).toEqual(shapes(ours));
    // No two of ours share a name of theirs, or numbers would be lost.
    expect(numbers(theirs)).toBe(numbers(ours));
  });

  it("bring every value back", () => {
    manualSeed(0);
    const ours = small().stateDict();
    const back = smallTable.toOurs(smallTable.toTheirs(ours), ours.keys());
    for (const [key, tensor] of ours) expect(back.get(key)?.sub(tensor).abs().sum().item(), key).toBe(0);
  });
});

describe("diffusers' layout of FLUX", () => {
  const theirs = fluxDiffusersKeys(FLUX_DEV).toTheirs(onDevice("meta", () => new Flux(FLUX_DEV)).stateDict());

  it("has the names and shapes of reference.md's list", () => {
    expect(theirs.size).toBe(1160);
    for (const [key, shape] of Object.entries({
      "x_embedder.weight": [3072, 64],
      "time_text_embed.guidance_embedder.linear_2.weight": [3072, 3072],
      "time_text_embed.text_embedder.linear_1.weight": [3072, 768],
      "transformer_blocks.18.norm1_context.linear.weight": [18432, 3072],
      "transformer_blocks.0.attn.to_v.bias": [3072],
      "transformer_blocks.0.attn.add_q_proj.weight": [3072, 3072],
      "transformer_blocks.0.attn.norm_added_k.weight": [128],
      "transformer_blocks.0.attn.to_add_out.weight": [3072, 3072],
      "transformer_blocks.0.ff_context.net.0.proj.weight": [12288, 3072],
      "single_transformer_blocks.37.proj_mlp.weight": [12288, 3072],
      "single_transformer_blocks.37.proj_out.weight": [3072, 15360],
      "norm_out.linear.weight": [6144, 3072],
      "proj_out.weight": [64, 3072],
    })) {
      expect(theirs.get(key)?.shape, key).toEqual(shape);
    }
  });

  it("has scale before shift in the last norm", () => {
    const flux = new Flux(SMALL);
    const [ours, other] = [flux.stateDict(), fluxDiffusersKeys(SMALL).toTheirs(flux.stateDict())];
    const bias = ours.get("final_layer.adaLN_modulation.1.bias")?.tolist() as number[];
    expect(other.get("norm_out.linear.bias")?.tolist()).toEqual([...bias.slice(16), ...bias.slice(0, 16)]);
  });
});

it("diffusers' decoder counts levels from the smallest, and its attention is linear", () => {
  const ours = onDevice("meta", () => new FluxAutoencoder(FLUX_AUTOENCODER)).stateDict();
  const theirs = autoencoderDiffusersKeys(FLUX_AUTOENCODER).toTheirs(ours);
  expect(theirs.get("decoder.up_blocks.3.resnets.0.conv_shortcut.weight")?.shape).toEqual([128, 256, 1, 1]);
  expect(theirs.get("decoder.mid_block.attentions.0.to_out.0.weight")?.shape).toEqual([512, 512]);
  expect(theirs.has("decoder.up_blocks.3.upsamplers.0.conv.weight")).toBe(false);
});
