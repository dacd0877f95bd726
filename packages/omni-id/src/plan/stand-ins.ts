import { nn, scope, type Tensor, zeros } from "@omni-id/torch";
import { FLUX_AUTOENCODER, FLUX2_AUTOENCODER, Flux2Autoencoder, FluxAutoencoder } from "../backbones/autoencoder.ts";
import { Flux } from "../backbones/flux.ts";
import { type PromptEncoder, type Prompts, VocabularyEncoder } from "../backbones/words.ts";
import { FlowBase } from "../flow-base.ts";
import { People } from "../people/people.ts";
import type { Preset } from "../presets/schema.ts";
import { buildFlowBase } from "../weights/build.ts";
import { takesPublished } from "../weights/flow.ts";

/** Photos of everybody among the people of a plan: as many as MFHQ has. */
export const PHOTOS = 8;

/** People without pictures, as many as a step wants: what a stage does with them does not depend on what they show. */
export function blankPeople(count: number, side: number, { backbone }: Preset): People {
  const rows = count * PHOTOS;
  const tensors = scope(
    () =>
      new Map(
        Object.entries({
          ...seenBy(backbone, rows, side),
          features: zeros([rows, 512]),
          crops: zeros([rows, 3, side, side], { dtype: "uint8" }),
          masks: zeros([rows, side, side], { dtype: "uint8" }),
          points: zeros([rows, 5, 2]),
          landmarks: zeros([rows, 68, 2]),
          poses: zeros([rows, 3]),
        }),
      ),
  );
  const ids = Array.from({ length: count }, (_, i) => `person-${i}`);
  return People.from(
    ids,
    ids.map(() => PHOTOS),
    [{ tensors, captions: Array.from({ length: rows }, () => "") }],
  );
}

/** What a backbone sees beside the crops: its maps, or photos where these are of another size. */
function seenBy(backbone: Preset["backbone"], rows: number, side: number): Record<string, Tensor> {
  if (backbone.kind === "onnx") return { maps: zeros([rows, 49, 1024], { dtype: "float16" }) };
  const { imageSize } = backbone;
  return imageSize === side ? {} : { photos: zeros([rows, 3, imageSize, imageSize], { dtype: "uint8" }) };
}

/** What a published text encoder answers, without one: it is loaded for a moment, and its states are kept. */
class KeptPrompts extends nn.Module implements PromptEncoder {
  captions = false;
  readonly #sizes: { length: number; context: number; vector: number };

  constructor(sizes: { length: number; context: number; vector: number }) {
    super();
    this.#sizes = sizes;
  }

  encode(prompts: readonly string[]): Prompts {
    const { length, context, vector } = this.#sizes;
    const dtype = "bfloat16";
    return scope(() => ({
      txt: zeros([prompts.length, length, context], { dtype }),
      y: vector > 0 ? zeros([prompts.length, vector], { dtype }) : undefined,
    }));
  }
}

/** The frozen flow model of a preset, of its sizes and dtype, without its files. */
export function blankBase(preset: Preset): FlowBase {
  if (!takesPublished(preset)) {
    const base = buildFlowBase(preset);
    if (base.prompts instanceof VocabularyEncoder) base.prompts.vocabulary = ["photo", "person"];
    return base;
  }
  const { flow } = preset;
  const latents =
    flow.latents.kind === "flux2" ? new Flux2Autoencoder(FLUX2_AUTOENCODER) : new FluxAutoencoder(FLUX_AUTOENCODER);
  const { contextWidth: context, vectorWidth: vector } = flow.flux;
  const base = new FlowBase({
    latents,
    prompts: new KeptPrompts({ length: flow.prompts.length, context, vector }),
    flux: new Flux({ ...flow.flux, inChannels: latents.latentChannels * flow.packing ** 2 }),
    packing: flow.packing,
    imageSize: flow.imageSize,
    distilledGuidance: flow.guidance.distilled,
  });
  const wide = [...base.stateDict().values()];
  base.to({ dtype: "bfloat16" });
  for (const tensor of wide) tensor.dispose();
  return base;
}
