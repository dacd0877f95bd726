import type { Preset } from "../presets/schema.ts";

/**
 * Stage one once more for a finished encoder: the decoder alone, a fifth of the steps, likeness from the first one. At
 * the full rates it would forget more than it learns: a quarter of them is for an encoder that has moved a little.
 */
export function decoderAgain(preset: Preset): Preset {
  const { mtd } = preset;
  const { steps, muon, adamw } = mtd.optimisation;
  return {
    ...preset,
    mtd: {
      ...mtd,
      encoderRate: 0,
      loss: { ...mtd.loss, from: 0 },
      optimisation: { ...mtd.optimisation, steps: Math.ceil(steps / 5), muon: muon / 4, adamw: adamw / 4 },
    },
  };
}
