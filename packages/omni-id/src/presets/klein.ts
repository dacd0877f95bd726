import { paper } from "./paper.ts";
import type { Preset } from "./schema.ts";

const { flow } = paper;

/**
 * The paper's recipe on FLUX.2 [klein] Base 4B (Apache-2.0) instead of FLUX.1-dev. Stage one does not know of the flow
 * model: its weights are those of the paper preset. 512 px; 1024 px is flow.imageSize=1024.
 */
export const klein: Preset = {
  ...paper,
  name: "klein",
  flow: {
    ...flow,
    latents: { kind: "flux2" },
    guidance: { ...flow.guidance, classifierFree: 4 },
    prompts: { kind: "qwen3", length: 512, layers: [9, 18, 27] },
    // The autoencoder joins 2×2 latents itself.
    packing: 1,
    flux: {
      generation: 2,
      vectorWidth: 0,
      contextWidth: 7680,
      width: 3072,
      heads: 24,
      mlpRatio: 3,
      doubleBlocks: 5,
      singleBlocks: 20,
      axes: [32, 32, 32, 32],
      guidance: false,
    },
  },
};
