import type { SolverName } from "../sampling-steps.ts";

/** The parts of an export, each a model. */
export const MODEL_NAMES = [
  "detector",
  "landmarks",
  "pose",
  "recogniser",
  "encoder",
  "prompts",
  "adapter",
  "control",
  "flux",
  "latents",
  "decoder",
] as const;
export type ModelName = (typeof MODEL_NAMES)[number];

/** The file of a model: gzip over its bytes, which are sorted by their place in a number. */
export interface ModelFile {
  file: string;
  /** Bytes of the file. */
  bytes: number;
  /** SHA-256 of the file. */
  sha256: string;
  /** Bytes of a number: the first bytes of all numbers stand first, then the second ones. */
  planes: number;
}

export const WEB_FORMAT = "omni-id-web/1";

/** What `omni-id export --web` says of its models: `manifest.json`. */
export interface WebManifest {
  format: string;
  encoder: { name: string; hash: string };
  /** Side of the pictures, in pixels. */
  imageSize: number;
  /** Shape of an identity, `[L, C]`. */
  identity: readonly [number, number];
  /** Cross-attention blocks of the encoder. */
  blocks: number;
  backbone: { tokens: number; grid: { first: number; side: number }; inputSize: number };
  /** Numbers of ℓ, the first ones, by which identities are compared. */
  carried: number;
  /** Mean and deviation of those numbers over the training people; of all of ℓ where that is 0. */
  statistics?: { mean: number[]; deviation: number[] };
  drawing: {
    guidance: number;
    steps: number;
    solver: SolverName;
    prompt: string;
    /** Tokens of a picture, and channels of each. */
    tokens: readonly [number, number];
    /** Channels of the model, residuals that it takes, and whether an identity modulates it and stands beside the text. */
    width: number;
    residuals: number;
    modulation: boolean;
    extra: boolean;
  };
  words: string[];
  mostWords: number;
  /** 68 points in space. */
  meanFace: number[];
  /** How the masked decoder hides a face, and the side of that in pixels. */
  hidden: { imageSize: number; patchSize: number; maskRatio: number; tokens: number };
  files: Readonly<Record<ModelName, ModelFile>>;
}

/** @throws when the bytes are no manifest, or one of another version */
export function parseManifest(bytes: Uint8Array): WebManifest {
  let manifest: Partial<WebManifest>;
  try {
    manifest = JSON.parse(new TextDecoder().decode(bytes)) as Partial<WebManifest>;
  } catch {
    throw new Error("manifest.json: no manifest of an export; write one with: omni-id export --web DIR");
  }
  if (manifest.format !== WEB_FORMAT) {
    throw new Error(
      `manifest.json: its format is ${JSON.stringify(manifest.format)}, this program reads ${WEB_FORMAT}; export again`,
    );
  }
  const missing = MODEL_NAMES.find((name) => !manifest.files?.[name]);
  if (missing) throw new Error(`manifest.json: no model "${missing}"; export again`);
  return manifest as WebManifest;
}
