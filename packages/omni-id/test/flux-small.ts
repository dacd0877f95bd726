import { noGrad } from "@omni-id/torch";
import { ControlNet } from "../src/adapters/controlnet.ts";
import { IpAdapter } from "../src/adapters/ip-adapter.ts";
import { Flux } from "../src/backbones/flux.ts";
import type { FluxOptions } from "../src/backbones/flux-options.ts";
import type { FluxInput } from "../src/backbones/flux-trunk.ts";
import { golden } from "./golden.ts";

/** Sizes of fixtures/flux-small.safetensors. */
export const SMALL: FluxOptions = {
  inChannels: 64,
  vectorWidth: 12,
  contextWidth: 20,
  width: 16,
  heads: 2,
  doubleBlocks: 2,
  singleBlocks: 1,
  axes: [4, 2, 2],
  guidance: true,
};

export const small = golden("flux-small");

export function smallInput(): FluxInput {
  const io = (name: string) => small.get(`flux.io.${name}`);
  return {
    img: io("img"),
    imgIds: io("img_ids"),
    txt: io("txt"),
    txtIds: io("txt_ids"),
    timesteps: io("timesteps"),
    y: io("y"),
    guidance: io("guidance"),
  };
}

export function smallFlux(): Flux {
  const flux = new Flux(SMALL);
  flux.loadStateDict(small.part("flux.weights."));
  return flux;
}

/** The identity input with the golden adapter's weights. */
export function smallIdentity(): Required<FluxInput>["identity"] {
  const adapter = new IpAdapter({ context: 28, flux: SMALL });
  adapter.loadStateDict(small.part("ip.weights."));
  return { tokens: small.get("ip.io.image_proj"), adapter, scale: small.get("ip.io.scale").item() };
}

export function smallControlNet(): ControlNet {
  const controlnet = new ControlNet({ flux: SMALL });
  controlnet.loadStateDict(small.part("controlnet.weights."));
  return controlnet;
}

/** Draws all parameters anew, zeros too, so that nothing hides behind a zero. */
export function shake(module: { parameters(): { normal_(mean?: number, std?: number): unknown }[] }): void {
  noGrad(() => {
    for (const tensor of module.parameters()) tensor.normal_(0, 0.2);
  });
}
