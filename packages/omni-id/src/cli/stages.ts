import { openAttributesStage } from "../train/attributes/open.ts";
import { openAutoencoderStage } from "../train/autoencoder/open.ts";
import { openBaseStage } from "../train/base/open.ts";
import { openClipStage } from "../train/clip/open.ts";
import { openControlStage } from "../train/control/open.ts";
import {
  exportAttributes,
  exportAutoencoder,
  exportClip,
  exportControl,
  exportFirstStage,
  exportFlow,
  exportFlowBase,
} from "../train/export.ts";
import { openFlowStage } from "../train/flow/open.ts";
import { openFirstStage } from "../train/mtd/open.ts";
import { openPersonaliseStage } from "../train/personalise/open.ts";
import { shippedWeights } from "../weights/folder.ts";
import type { StageEntry } from "./stage-command.ts";

const BASE = { about: "folder of the flow base's weights", default: "runs/base/weights" };

/** Every stage that can be trained, in the order in which they build on each other. */
export const STAGES = {
  mtd: entry({
    name: "mtd",
    about: "stage one: encoder and masked transformer decoder, few-to-many (sections 3.1–3.3)",
    help:
      "Watch the identity gap: the loss with another person's identity over the loss with the right one, minus 1.\n" +
      "It says whether the identity is used at all.",
    needs: {
      encoder: { about: "start from the encoder of this folder; with mtd.encoderRate=0 only the decoder is trained" },
      decoder: { about: "start from the masked decoder of this folder, whichever encoder it was trained with" },
    },
    optimisation: (preset) => preset.mtd.optimisation,
    batch: "mtd.batch",
    open: async (options, weights) => {
      const first = await openFirstStage({ ...options, ...weights });
      return { stage: first.stage, save: (folder, note) => exportFirstStage(folder, first, note) };
    },
  }),
  base: entry({
    name: "base",
    about: "the nano flow model, from nothing; the paper preset takes FLUX.1-dev instead",
    help: "Held-out figures are the flow loss at four times, by the fixed prompt and by captions.",
    needs: {
      base: { about: "start from the flow base of this folder, with its latents and words" },
      autoencoder: { about: "draw with the autoencoder of this folder (train autoencoder)" },
    },
    optimisation: (preset) => preset.flow.base.optimisation,
    batch: "flow.base.batch",
    open: async (options, weights) => {
      const base = await openBaseStage({ ...options, ...weights });
      return { stage: base.stage, save: (folder, note) => exportFlowBase(folder, base, note) };
    },
  }),
  flow: entry({
    name: "flow",
    about: "stage two: IP-Adapter on the frozen flow base, the encoder trained along (section 3.3)",
    help:
      "gap and gap_none: how much worse the flow loss gets with another person's identity, and with none.\n" +
      "They prove that the identity is used.",
    needs: {
      encoder: { about: "folder of stage one's weights", default: "runs/mtd/weights" },
      base: BASE,
      adapter: { about: "start from the adapter of this folder, whichever base it was trained on" },
      control: { about: "with flow.adapter.landmarks: start from the ControlNet of this folder" },
    },
    optimisation: (preset) => preset.flow.adapter.optimisation,
    batch: "flow.adapter.batch",
    open: async (options, weights) => {
      const { encoder, base, ...start } = weights;
      const flow = await openFlowStage({ ...options, encoder: encoder as string, base: base as string, ...start });
      return { stage: flow.stage, save: (folder, note) => exportFlow(folder, flow, note) };
    },
  }),
  control: entry({
    name: "control",
    about: "ControlNet on landmark pictures, on the frozen flow base (section 4.2)",
    help: "gap: how much worse the flow loss gets with somebody else's landmarks.",
    needs: {
      flow: { about: "folder of stage two's weights", default: "runs/flow/weights" },
      base: BASE,
      control: { about: "start from the ControlNet of this folder, whichever base it was trained on" },
    },
    optimisation: (preset) => preset.flow.control.optimisation,
    batch: "flow.control.batch",
    open: async (options, weights) => {
      const control = await openControlStage({ ...options, ...weights, base: weights.base as string });
      return { stage: control.stage, save: (folder, note) => exportControl(folder, control, note) };
    },
  }),
  personalise: entry({
    name: "personalise",
    about: "personalised text-to-image: a frozen representation's IP-Adapter on the base of scenes (section 4.3)",
    help:
      "Photos of a face go in; scenes of the same person, each told by its own sentence, are to come out.\n" +
      "Its base: omni-id data synth --scenes -o data/scenes\n" +
      "          omni-id train base --preset nano-scenes --data data/scenes --out runs/scenes",
    preset: "nano-scenes",
    data: "data/scenes",
    needs: {
      encoder: { about: "folder of what stands for a person (default: the shipped encoder)" },
      base: { about: "folder of the weights of the flow base that draws scenes", default: "runs/scenes/weights" },
      adapter: { about: "start from the adapter of this folder, whichever base it was trained on" },
    },
    optimisation: (preset) => preset.flow.adapter.optimisation,
    batch: "flow.adapter.batch",
    open: async (options, weights) => {
      const { encoder = shippedWeights(), base, ...start } = weights;
      const opened = await openPersonaliseStage({ ...options, encoder, base: base as string, ...start });
      return { stage: opened.stage, save: (folder, note) => exportFlow(folder, opened, note) };
    },
  }),
  clip: entry({
    name: "clip",
    about:
      "a small CLIP on photos (preset nano-scenes: on scenes) and captions, by contrast: a backbone for the comparisons of section 4.1",
    help:
      "Held-out figures are zero-shot: answers by sentences alone, on photos of validation people.\n" +
      "Then: omni-id train flow --set backbone=nano-clip representation.kind=clip …",
    needs: {},
    optimisation: (preset) => preset.clip.optimisation,
    batch: "clip.batch",
    open: async (options) => {
      const opened = await openClipStage(options);
      return { stage: opened.stage, save: (folder, note) => exportClip(folder, opened, note) };
    },
  }),
  autoencoder: entry({
    name: "autoencoder",
    about: "what smooths pictures that a flow model draws in patches, each by its principal directions",
    help:
      "Held-out figures are PSNR in dB, of the directions alone and smoothed, of scenes and of the faces in them.\n" +
      "Then: omni-id train base --preset nano-scenes --data data/scenes --autoencoder runs/autoencoder/weights",
    preset: "nano-scenes",
    data: "data/scenes",
    needs: {
      base: { about: "smooth the latents of this folder's flow base, whose files are written beside it" },
    },
    optimisation: (preset) => preset.autoencoder.optimisation,
    batch: "autoencoder.batch",
    open: async (options, weights) => {
      const opened = await openAutoencoderStage({ ...options, ...weights });
      return { stage: opened.stage, save: (folder, note) => exportAutoencoder(folder, opened, note) };
    },
  }),
  attributes: entry({
    name: "attributes",
    about: "what reads off a picture which words a sentence could say of it: a measure, never a loss",
    help: "Held-out figures are the shares of right words on scenes of validation people, by garment, hat, place and so on.",
    preset: "nano-scenes",
    data: "data/scenes",
    needs: {},
    optimisation: (preset) => preset.attributes.optimisation,
    batch: "attributes.batch",
    open: async (options) => {
      const opened = await openAttributesStage(options);
      return { stage: opened.stage, save: (folder, note) => exportAttributes(folder, opened, note) };
    },
  }),
} as const;

function entry<Batch, Need extends string>(stage: StageEntry<Batch, Need>): StageEntry<Batch> {
  return stage as unknown as StageEntry<Batch>;
}
