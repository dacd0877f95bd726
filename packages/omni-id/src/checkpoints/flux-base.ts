import { FlowBase } from "../flow-base.ts";
import type { Preset } from "../presets/schema.ts";
import { loadAutoencoder } from "./encoders.ts";
import { loadFlux } from "./flux.ts";
import { FluxPrompts } from "./flux-prompts.ts";
import type { LoadModelOptions } from "./load.ts";
import { wantedPath } from "./wanted.ts";

/**
 * The paper preset's flow model from FLUX.1's own files, where `omni-id models` says: transformer and autoencoder
 * now, the text encoders whenever a prompt is new.
 * @throws one line when a file is missing, and which
 */
export function loadFluxBase({ flow }: Preset, options: LoadModelOptions = {}): FlowBase {
  const length = flow.prompts.length;
  return new FlowBase({
    flux: loadFlux(wantedPath("the flow model"), options),
    latents: loadAutoencoder(wantedPath("its autoencoder"), options),
    prompts: new FluxPrompts(
      {
        t5: wantedPath("T5 v1.1-XXL's encoder"),
        t5Tokenizer: wantedPath("T5's tokenizer"),
        clip: wantedPath("CLIP-L's text encoder"),
        clipTokenizer: wantedPath("CLIP's tokenizer"),
      },
      { ...options, length },
    ),
    packing: flow.packing,
    imageSize: flow.imageSize,
    distilledGuidance: flow.guidance.distilled,
  });
}
