import { existsSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "@omni-id/face";
import { type nn, onDevice } from "@omni-id/torch";
import { FLUX_AUTOENCODER, FluxAutoencoder } from "../backbones/autoencoder.ts";
import { CLIP_H, ClipVisionModel } from "../backbones/clip.ts";
import { CLIP_L_TEXT, ClipTextModel } from "../backbones/clip-text.ts";
import { Flux } from "../backbones/flux.ts";
import { FLUX_DEV } from "../backbones/flux-options.ts";
import { T5_XXL, T5Encoder } from "../backbones/t5.ts";
import { CLIP_TOKENS, T5_TOKENS, Tokenizer } from "../text/tokenizer.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import { besideClip, readAutoencoder, readClipText, readT5 } from "./encoders.ts";
import { readFlux } from "./flux.ts";
import { type LoadingOptions, type Misfits, misfits } from "./load.ts";

/** A third-party file that the paper preset needs and that a person has to fetch. */
export interface WantedModel {
  what: string;
  /** Files or folders of which one is enough, below {@link modelsFolder}. */
  files: readonly string[];
  source: string;
  licence: string;
  size: string;
  /** Compares a file's header with the full-size model. @throws one line when it cannot be read at all */
  check(path: string): Misfits;
}

/** Where a person puts models: OMNI_ID_MODELS, or the folder `models` of the cache. */
export function modelsFolder(): string {
  return process.env.OMNI_ID_MODELS || join(cacheFolder(), "models");
}

type Reading = Pick<LoadingOptions, "table" | "ignore"> & { checkpoint?: Checkpoint; make: () => nn.Module };

const weights =
  (read: (checkpoint: Checkpoint) => Reading) =>
  (path: string): Misfits => {
    const opened = openCheckpoint(path);
    const { checkpoint = opened, make, ...reading } = read(opened);
    return misfits(checkpoint, onDevice("meta", make), reading);
  };

const tokens = (options: { length: number; pad: string }) => (path: string) => {
  new Tokenizer(path, options);
  return { wanted: 1, missing: [], unknown: [], misshaped: [] };
};

/** What the paper preset stands on. Names are those of the sources' repositories, so that a copy of these will do. */
export const WANTED: readonly WantedModel[] = [
  {
    what: "FLUX.1-dev or FLUX.1-schnell, the flow model",
    files: ["flux/flux1-dev.safetensors", "flux/transformer", "flux/flux1-schnell.safetensors"],
    source: "https://huggingface.co/black-forest-labs/FLUX.1-dev (or FLUX.1-schnell)",
    licence: "dev: FLUX.1 [dev] Non-Commercial License; schnell: Apache-2.0",
    size: "23.8 GB",
    check: weights((given) => {
      const { checkpoint, table, sizes } = readFlux(given);
      return { checkpoint, table, make: () => new Flux({ ...FLUX_DEV, guidance: sizes.guidance }) };
    }),
  },
  {
    what: "its autoencoder",
    files: ["flux/ae.safetensors", "flux/vae"],
    source: "https://huggingface.co/black-forest-labs/FLUX.1-schnell (the same file in both)",
    licence: "Apache-2.0 (as part of FLUX.1-schnell)",
    size: "0.3 GB",
    check: weights((checkpoint) => ({
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
    check: weights((checkpoint) => ({ ...readT5(checkpoint), make: () => new T5Encoder(T5_XXL) })),
  },
  {
    what: "T5's tokenizer",
    files: ["flux/tokenizer_2/tokenizer.json"],
    source: "https://huggingface.co/black-forest-labs/FLUX.1-schnell, folder tokenizer_2",
    licence: "Apache-2.0",
    size: "2 MB",
    check: tokens(T5_TOKENS),
  },
  {
    what: "CLIP-L's text encoder, FLUX's pooled vector",
    files: ["flux/text_encoder", "flux/clip_l.safetensors"],
    source: "https://huggingface.co/black-forest-labs/FLUX.1-schnell, folder text_encoder",
    licence: "MIT (openai/clip-vit-large-patch14)",
    size: "0.25 GB",
    check: weights((checkpoint) => ({ ...readClipText(checkpoint), make: () => new ClipTextModel(CLIP_L_TEXT) })),
  },
  {
    what: "CLIP's tokenizer",
    files: ["flux/tokenizer/tokenizer.json"],
    source: "https://huggingface.co/openai/clip-vit-large-patch14, file tokenizer.json",
    licence: "MIT",
    size: "2 MB",
    check: tokens(CLIP_TOKENS),
  },
  {
    what: "CLIP ViT-H/14's image encoder, the paper's image features",
    files: ["clip-h", "clip-h.safetensors"],
    source: "https://huggingface.co/laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    licence: "MIT",
    size: "2.5 GB (3.9 GB with its text encoder)",
    check: weights(() => ({
      make: () => new ClipVisionModel(CLIP_H),
      ignore: besideClip(/^(text_model|text_projection)\./),
    })),
  },
];

/** The first of a wanted model's files that is there. @throws when there is none */
export function wantedPath(what: string): string {
  const model = WANTED.find((one) => one.what.includes(what));
  const found = model?.files.map((file) => join(modelsFolder(), file)).find((file) => existsSync(file));
  if (found) return found;
  throw new Error(`${what} is not in ${modelsFolder()}: omni-id models says which files are wanted, and from where`);
}

export interface WantedStatus extends Omit<WantedModel, "check"> {
  /** The file that is there. */
  path?: string;
  /** Why it cannot be used. */
  problem?: string;
  misfits?: Misfits;
  ok: boolean;
}

/** Which of the wanted models are in a folder, and whether they are whole: by their headers, no weights are read. */
export function wantedStatus(folder: string = modelsFolder()): WantedStatus[] {
  return WANTED.map(({ check, ...model }) => {
    const path = model.files.map((file) => join(folder, file)).find((file) => existsSync(file));
    if (path === undefined) return { ...model, ok: false };
    try {
      const found = check(path);
      const ok = found.missing.length + found.unknown.length + found.misshaped.length === 0;
      return { ...model, path, ok, misfits: ok ? undefined : found };
    } catch (error) {
      return { ...model, path, ok: false, problem: (error as Error).message };
    }
  });
}
