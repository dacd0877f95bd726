import { existsSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "@omni-id/face/assets";
import { FLUX_AUTOENCODER, FluxAutoencoder } from "../backbones/autoencoder.ts";
import { CLIP_H, ClipVisionModel } from "../backbones/clip.ts";
import { CLIP_L_TEXT, ClipTextModel } from "../backbones/clip-text.ts";
import { Flux } from "../backbones/flux.ts";
import { FLUX_DEV } from "../backbones/flux-options.ts";
import { T5_XXL, T5Encoder } from "../backbones/t5.ts";
import { CLIP_TOKENS, T5_TOKENS } from "../text/tokenizer.ts";
import { readAutoencoder, readClipText, readT5 } from "./encoders.ts";
import { checkpointsBelow } from "./find-models.ts";
import { readFlux } from "./flux.ts";
import type { Misfits } from "./load.ts";
import { bestVariant, modelFile } from "./model-file.ts";
import { KLEIN_WANTED } from "./wanted-klein.ts";
import { tokens, type WantedModel, weights } from "./wanted-model.ts";

/** Where a person puts models: OMNI_ID_MODELS, or the folder `models` of the cache. */
export function modelsFolder(): string {
  return process.env.OMNI_ID_MODELS || join(cacheFolder(), "models");
}

/** What the paper preset stands on. Names are those of the sources' repositories, so that a copy of these will do. */
export const WANTED: readonly WantedModel[] = [
  {
    what: "FLUX.1-dev or FLUX.1-schnell, the flow model",
    files: ["flux/flux1-dev.safetensors", "flux/transformer", "flux/flux1-schnell.safetensors"],
    source: "https://huggingface.co/black-forest-labs/FLUX.1-dev (or FLUX.1-schnell)",
    licence: "dev: FLUX.1 [dev] Non-Commercial License; schnell: Apache-2.0",
    size: "23.8 GB",
    ...weights("flux", (checkpoint) => {
      const { table, sizes } = readFlux(checkpoint);
      return { table, make: () => new Flux({ ...FLUX_DEV, guidance: sizes.guidance }) };
    }),
  },
  {
    what: "its autoencoder",
    files: ["flux/ae.safetensors", "flux/vae"],
    source: "https://huggingface.co/black-forest-labs/FLUX.1-schnell (the same file in both)",
    licence: "Apache-2.0 (as part of FLUX.1-schnell)",
    size: "0.3 GB",
    ...weights("autoencoder", (checkpoint) => ({
      ...readAutoencoder(checkpoint),
      make: () => new FluxAutoencoder(FLUX_AUTOENCODER),
    })),
  },
  {
    what: "T5 v1.1-XXL's encoder, FLUX's text tokens",
    files: ["flux/text_encoder_2", "flux/t5xxl_fp16.safetensors"],
    source: "https://huggingface.co/black-forest-labs/FLUX.1-schnell, folder text_encoder_2",
    licence: "Apache-2.0 (google/t5-v1_1-xxl)",
    size: "9.5 GB",
    ...weights("t5", (checkpoint) => ({ ...readT5(checkpoint), make: () => new T5Encoder(T5_XXL) })),
  },
  {
    what: "T5's tokenizer",
    files: ["flux/tokenizer_2/tokenizer.json"],
    source: "https://huggingface.co/black-forest-labs/FLUX.1-schnell, folder tokenizer_2",
    licence: "Apache-2.0",
    size: "2 MB",
    ...tokens(T5_TOKENS),
  },
  {
    what: "CLIP-L's text encoder, FLUX's pooled vector",
    files: ["flux/text_encoder", "flux/clip_l.safetensors"],
    source: "https://huggingface.co/black-forest-labs/FLUX.1-schnell, folder text_encoder",
    licence: "MIT (openai/clip-vit-large-patch14)",
    size: "0.25 GB",
    ...weights("clip-text", (checkpoint) => ({
      ...readClipText(checkpoint),
      make: () => new ClipTextModel(CLIP_L_TEXT),
    })),
  },
  {
    what: "CLIP's tokenizer",
    files: ["flux/tokenizer/tokenizer.json"],
    source: "https://huggingface.co/openai/clip-vit-large-patch14, file tokenizer.json",
    licence: "MIT",
    size: "2 MB",
    ...tokens(CLIP_TOKENS),
  },
  {
    what: "CLIP ViT-H/14's image encoder, the paper's image features",
    files: ["clip-h", "clip-h.safetensors"],
    source: "https://huggingface.co/laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    licence: "MIT",
    size: "2.5 GB (3.9 GB with its text encoder)",
    ...weights("clip-vision", () => ({ make: () => new ClipVisionModel(CLIP_H) })),
  },
];

/** What a person can do about several models where no file can be named. */
const LEAVE_ONE = "leave the one that is meant there, and move the others away";

/**
 * A wanted model's file: the one under its own name; else whichever holds that network in full, alone or with others.
 * @throws when there is none, or more than one
 */
export function wantedPath(what: string, folder: string = modelsFolder()): string {
  const model = [...WANTED, ...KLEIN_WANTED].find((one) => one.what.includes(what));
  const found = model && pathOf(model, folder);
  if (found !== undefined) return found;
  throw new Error(`${what} is not in ${folder}: omni-id models says which files are wanted, and from where`);
}

function pathOf({ files, family, check, what, twins }: WantedModel, folder: string): string | undefined {
  const named = files.map((file) => join(folder, file)).find((file) => existsSync(file));
  if (family === undefined) return named;
  if (named !== undefined) return modelFile(named, family, LEAVE_ONE);
  if (twins) return undefined;
  const whole = checkpointsBelow(folder, family).filter(({ path }) => fits(check, path));
  if (whole.length <= 1) return whole[0]?.path;
  const best = bestVariant(whole);
  if (best !== undefined) return best.path;
  throw new Error(`${folder}: several files hold ${what} (${whole.map(({ path }) => path).join(", ")}); ${LEAVE_ONE}`);
}

function fits(check: WantedModel["check"], path: string): boolean {
  try {
    return isWhole(check(path));
  } catch {
    return false; // of another size, say
  }
}

const isWhole = ({ missing, unknown, misshaped }: Misfits): boolean =>
  missing.length + unknown.length + misshaped.length === 0;

export interface WantedStatus extends Omit<WantedModel, "check"> {
  /** The file that is there. */
  path?: string;
  /** Why it cannot be used. */
  problem?: string;
  misfits?: Misfits;
  ok: boolean;
}

/** Which of the wanted models are in a folder, and whether they are whole: by their headers, no weights are read. */
export function wantedStatus(folder: string = modelsFolder(), models = WANTED): WantedStatus[] {
  return models.map((wanted) => {
    const { check, ...model } = wanted;
    let path = model.files.map((file) => join(folder, file)).find((file) => existsSync(file));
    try {
      path = pathOf(wanted, folder);
      if (path === undefined) return { ...model, ok: false };
      const found = check(path);
      const ok = isWhole(found);
      return { ...model, path, ok, misfits: ok ? undefined : found };
    } catch (error) {
      return { ...model, path: path ?? folder, ok: false, problem: (error as Error).message };
    }
  });
}
