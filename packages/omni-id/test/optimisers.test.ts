import { manualSeed, nn, optim, randn, scope, type Tensor } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { presets, resolvePreset } from "../src/presets/index.ts";
import { Optimisers } from "../src/train/optimisers.ts";

/** A hidden matrix with a gradient, the same every time. */
function matrix(): Tensor {
  manualSeed(5);
  const weight = nn.parameter(scope(() => randn([8, 6])));
  scope(() =>
    weight
      .mul(randn([8, 6]))
      .sum()
      .backward(),
  );
  return weight;
}

const settings = (muon: number) => ({
  ...resolvePreset("nano", [`mtd.optimisation.muon=${muon}`]).mtd.optimisation,
  warmup: 0,
  decay: 0,
});

function stepped(muon: number): number[][] {
  const weight = matrix();
  const optimisers = new Optimisers([{ optimiser: "muon", rate: 0.5, parameters: [weight] }], settings(muon));
  expect(optimisers.clip()).toBeGreaterThan(1);
  optimisers.step(1);
  return weight.tolist() as number[][];
}

describe("the optimisers of a stage", () => {
  it("give hidden matrices to AdamW where Muon is off, as in the paper", () => {
    const { adamw, clip } = settings(0);
    const weight = matrix();
    optim.clipGradNorm([weight], clip);
    new optim.AdamW([weight], { lr: 0.5 * adamw, betas: [0.9, 0.99], weightDecay: 0 }).step();
    expect(stepped(0)).toEqual(weight.tolist());
    expect(stepped(presets.nano.mtd.optimisation.muon)).not.toEqual(weight.tolist());
  });
});
