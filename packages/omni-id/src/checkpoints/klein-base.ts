import { type Drawing, FlowBase } from "../flow-base.ts";
import type { Preset } from "../presets/schema.ts";
import { flux2Shift } from "../sampling-steps.ts";
import { loadFlux2Autoencoder } from "./encoders.ts";
import { loadFlux2 } from "./flux2.ts";
import { KleinPrompts } from "./klein-prompts.ts";
import type { LoadModelOptions } from "./load.ts";
import { wantedPath } from "./wanted.ts";

/** The two models of one size: Base is trained on, the distilled one draws in four steps. */
export type KleinModel = "base" | "distilled";

/** How each was published to be drawn with. */
export const DRAWING: Readonly<Record<KleinModel, Drawing>> = {
  base: { shift: flux2Shift, solver: "euler", steps: 50, guidance: 4, emptyPrompt: "" },
  distilled: { shift: flux2Shift, solver: "euler", steps: 4, guidance: 1 },
};

const FILES: Readonly<Record<KleinModel, string>> = {
  base: "FLUX.2 [klein] Base 4B",
  distilled: "FLUX.2 [klein] 4B, distilled",
};

/** Where its files lie. @throws one line when one is missing, and which */
export function kleinFiles(model: KleinModel) {
  return {
    flux: wantedPath(FILES[model]),
    autoencoder: wantedPath("FLUX.2's autoencoder"),
    qwen3: wantedPath("Qwen3-4B"),
    tokenizer: wantedPath("Qwen3's tokenizer"),
  };
}

/**
 * FLUX.2 [klein] from its own files, where `omni-id models` says: transformer and autoencoder now, Qwen3 whenever a
 * prompt is new.
 * @throws one line when a file is missing, and which
 */
export function loadKleinBase(
  { flow }: Preset,
  { model = "base", ...options }: LoadModelOptions & { model?: KleinModel } = {},
): FlowBase {
  const { flux: file, autoencoder, ...text } = kleinFiles(model);
  const flux = loadFlux2(file, options);
  const { length } = flow.prompts;
  const { contextWidth } = flux.options;
  const outputs = flow.prompts.kind === "qwen3" ? flow.prompts.layers : undefined;
  return new FlowBase({
    flux,
    latents: loadFlux2Autoencoder(autoencoder, options),
    prompts: new KleinPrompts(text, { ...options, length, contextWidth, outputs }),
    packing: flow.packing,
    imageSize: flow.imageSize,
    drawing: DRAWING[model],
  });
}
