import type { Preset } from "./schema.ts";

/** Networks beside the models themselves; they are the same whatever the preset's own size. */
export const smallNetworks: Pick<Preset, "clip" | "autoencoder" | "attributes"> = {
  // Words of rendered people's captions; a batch of 128 different people.
  clip: {
    projection: 128,
    text: { words: 190, length: 32, width: 128, layers: 2, heads: 4, mlp: 512 },
    batch: 128,
    optimisation: { steps: 1500, warmup: 50, decay: 0.4, muon: 0, adamw: 1e-3, clip: 1, ema: 0.995 },
  },
  // Noise of what a flow model gets wrong when it has learnt for an hour or two.
  autoencoder: {
    batch: 16,
    noise: 0.2,
    faceWeight: 4,
    optimisation: { steps: 2000, warmup: 50, decay: 0.5, muon: 0, adamw: 2e-3, clip: 1, ema: 0.995 },
  },
  // Scenes of 128 px, whatever the size of the pictures that are judged: it reads in a quarter of an hour.
  attributes: {
    imageSize: 128,
    width: 32,
    batch: 32,
    optimisation: { steps: 2000, warmup: 20, decay: 0.5, muon: 0.02, adamw: 2e-3, clip: 1, ema: 0.995 },
  },
};
