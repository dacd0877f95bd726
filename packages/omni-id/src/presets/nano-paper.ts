import { nano } from "./nano.ts";
import type { Preset } from "./schema.ts";

/**
 * The nano preset with everything that the paper says as the paper says it: what is left of nano are its sizes, its
 * pretrained backbone and flow model, and what the paper leaves open (batches, rates, averages).
 */
export const nanoPaper: Preset = {
  ...nano,
  name: "nano-paper",
  faceMask: "segmentation",
  encoder: { ...nano.encoder, carriedTokens: 0 },
  mtd: {
    ...nano.mtd,
    decoder: { ...nano.mtd.decoder, poseBlocks: 0 },
    inputs: [3],
    targets: 8,
    tokens: 256,
    loss: { ...nano.mtd.loss, likeness: 0, perceptual: 0 },
    backboneRate: 0.1,
    optimisation: { ...nano.mtd.optimisation, muon: 0 },
  },
  flow: {
    ...nano.flow,
    guidance: { ...nano.flow.guidance, classifierFree: 1 },
    adapter: {
      ...nano.flow.adapter,
      inputs: [3],
      targets: 8,
      times: { kind: "uniform" },
      encoderRate: 1,
      standardise: false,
      joined: false,
      modulation: false,
      likeness: 0,
      optimisation: { ...nano.flow.adapter.optimisation, muon: 0 },
    },
    control: {
      ...nano.flow.control,
      optimisation: { ...nano.flow.control.optimisation, muon: 0 },
    },
  },
};
