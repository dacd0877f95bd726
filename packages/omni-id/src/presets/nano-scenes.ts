import { nano } from "./nano.ts";
import type { Preset } from "./schema.ts";

/** The nano preset for people in scenes (section 4.3): whole pictures of 128 px, told in sentences. */
export const nanoScenes: Preset = {
  ...nano,
  name: "nano-scenes",
  flow: {
    ...nano.flow,
    pictures: "scenes",
    imageSize: 128,
    // 64 tokens. A step costs a quarter of one with patches of 8 px, and the smoother mends the seams.
    latents: {
      kind: "smoothed",
      patchSize: 16,
      channels: 96,
      smoother: { channels: 64, blocks: 6, groups: 8 },
    },
    // Which colour belongs to which garment is told by the order of the words.
    prompts: { kind: "transformer", vocabulary: 190, length: 32, width: 128, layers: 3, heads: 4 },
    // 14 MB in 16 bits: the project's files stay below 40 MB together.
    flux: { ...nano.flow.flux, vectorWidth: 96, contextWidth: 128, width: 224, heads: 7 },
    // So small a model draws two halves of two faces where it has to decide by itself how a head is held.
    layout: true,
    // Nearly every scene is told in words: the rest teaches what guidance leads away from.
    guidance: { ...nano.flow.guidance, classifierFree: 2, text: 3 },
    adapter: {
      ...nano.flow.adapter,
      // Four photos of a face lie beside each person's scenes.
      inputs: [1, 2, 3, 4],
      captions: 0.9,
      faceWeight: 3,
      batch: 16,
      targets: 2,
      // While faces are rough: it comes last, in a short training of its own (docs/scenes.md).
      likeness: 0,
      // The base has hours to learn yet, and a step that teaches both costs a third more than the adapter's alone.
      baseRate: 1,
      // The rest keeps the base what it is without an identity: what guidance leads away from.
      told: 0.85,
      // Tokens beside the text cannot be left out of some pictures; the single blocks ask in their place.
      joined: false,
      single: true,
      optimisation: { ...nano.flow.adapter.optimisation, steps: 9000, muon: 0.01, decay: 0.5, ema: 0.998 },
      // Identities are those of the encoder that ships: their files stay valid.
      encoderRate: 0,
    },
    base: {
      ...nano.flow.base,
      batch: 32,
      captions: 0.9,
      // A face is a tenth of a scene.
      faceWeight: 3,
      optimisation: { ...nano.flow.base.optimisation, steps: 12_000 },
    },
  },
};
