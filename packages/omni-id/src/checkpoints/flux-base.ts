import { existsSync } from "node:fs";
import { join } from "node:path";
import { FlowBase } from "../flow-base.ts";
import type { Preset } from "../presets/schema.ts";
import { FluxPrompts } from "../text/flux-prompts.ts";
import { loadAutoencoder } from "./encoders.ts";
import { loadFlux } from "./flux.ts";
import type { LoadModelOptions } from "./load.ts";
import { modelsFolder, WANTED } from "./wanted.ts";

/**
 * The paper preset's flow model from FLUX.1's own files, where `omni-id models` says: transformer and autoencoder
 * now, the text encoders whenever a prompt is new.
 * @throws one line when a file is missing, and which
 */
export function loadFluxBase({ imageSize, flow }: Preset, options: LoadModelOptions = {}): FlowBase {
  const length = flow.prompts.length;
  return new FlowBase({
    flux: loadFlux(wanted("the flow model"), options),
    latents: loadAutoencoder(wanted("its autoencoder"), options),
    prompts: new FluxPrompts(
      {
        t5: wanted("T5 v1.1-XXL's encoder"),
        t5Tokenizer: wanted("T5's tokenizer"),
        clip: wanted("CLIP-L's text encoder"),
        clipTokenizer: wanted("CLIP's tokenizer"),
      },
      { ...options, length },
    ),
    packing: flow.packing,
    imageSize,
  });
}

/** The first of a wanted model's files that is there. */
function wanted(what: string): string {
  const model = WANTED.find((one) => one.what.includes(what));
  const found = model?.files.map((file) => join(modelsFolder(), file)).find((file) => existsSync(file));
  if (found) return found;
  throw new Error(`${what} is not in ${modelsFolder()}: omni-id models says which files are wanted, and from where`);
}
