import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import { F, loadSafetensors, nn, noGrad, saveSafetensors, scope, type Tensor, zeros } from "@omni-id/torch";
import { buildEncoder, buildMaskedDecoder, buildRecognition } from "./build.ts";
import type { Encoder } from "./encoder.ts";
import type { MaskedDecoder } from "./masked-decoder.ts";
import { type Preset, presetSchema } from "./presets/schema.ts";
import { DECODER_FILE, ENCODER_FILE, shippedWeights } from "./weights-folder.ts";

/** What the parameters of a weights file may be stored as. */
export const WEIGHTS_DTYPES = ["float32", "float16", "bfloat16"] as const;
export type WeightsDType = (typeof WEIGHTS_DTYPES)[number];

/** Everything that turns photos into an identity and compares identities: what {@link ENCODER_FILE} holds. */
export class EncoderBundle extends nn.Module {
  readonly encoder: Encoder;
  /** Mean ℓ of the training people, `[L, C]`. */
  readonly identity_mean: Tensor;
  /** Deviation of ℓ over the training people, `[L, C]`. */
  readonly identity_deviation: Tensor;
  /** Reads the recogniser's feature of the person from ℓ; absent unless the preset weighs it. */
  readonly recognition: nn.Linear | undefined;

  constructor(encoder: Encoder, recognition?: nn.Linear) {
    super();
    const [tokens, width] = encoder.identityShape;
    this.encoder = encoder;
    this.identity_mean = nn.buffer(zeros([tokens, width]));
    this.identity_deviation = nn.buffer(scope(() => zeros([tokens, width]).add(1)));
    this.recognition = recognition;
  }

  /** Sets mean and deviation from the identities of training people `[N, L, C]`. */
  standardise(identities: Tensor): void {
    scope(() =>
      noGrad(() => {
        this.identity_mean.copy_(identities.mean([0]));
        this.identity_deviation.copy_(identities.std([0]).add(1e-4));
      }),
    );
  }

  /** Unit vectors whose cosine tells how alike two identities are: `[N, L, C] → [N, D]`. */
  compared(identities: Tensor): Tensor {
    return scope(() =>
      noGrad(() => {
        const standard = identities.sub(this.identity_mean).div(this.identity_deviation).flatten(1);
        return F.normalize(standard, { dim: 1 });
      }),
    );
  }
}

/** An encoder with its weights, ready to use; dispose it to give its memory back at once. */
export interface LoadedEncoder extends Disposable {
  bundle: EncoderBundle;
  preset: Preset;
  /** Name and SHA-256 of the weights file: identities name the encoder that made them. */
  name: string;
  hash: string;
  /** The file's metadata: how it was trained. */
  metadata: Readonly<Record<string, string>>;
}

/**
 * Loads an encoder's weights.
 * @param folder where `omni-id-encoder.safetensors` lies; the shipped nano weights when absent
 * @throws when the file is missing, damaged, or of another shape than its own preset
 */
export async function loadEncoder(folder: string = shippedWeights()): Promise<LoadedEncoder> {
  const file = join(folder, ENCODER_FILE);
  const { preset, metadata, hash, tensors } = await openWeights(file);
  const bundle = new EncoderBundle(buildEncoder(preset), buildRecognition(preset));
  bundle.loadStateDict(tensors);
  bundle.eval();
  bundle.requiresGrad_(false);
  const name = `${preset.name} ${hash.slice(0, 8)}`;
  return { bundle, preset, name, hash, metadata, [Symbol.dispose]: () => disposeAll(bundle) };
}

/** Loads an encoder and the decoder that was trained with it. */
export async function loadFirstStage(
  folder: string = shippedWeights(),
): Promise<{ encoder: LoadedEncoder; decoder: MaskedDecoder }> {
  const encoder = await loadEncoder(folder);
  return { encoder, decoder: await loadMaskedDecoder(folder, encoder) };
}

/** Loads the masked transformer decoder that was trained with an encoder. */
export async function loadMaskedDecoder(folder: string, encoder: LoadedEncoder): Promise<MaskedDecoder> {
  const file = join(folder, DECODER_FILE);
  const { preset, metadata, tensors } = await openWeights(file);
  if (metadata.encoderHash !== encoder.hash) {
    throw new Error(`${file}: trained with another encoder than ${ENCODER_FILE} beside it; take both from one run`);
  }
  const decoder = buildMaskedDecoder(preset);
  decoder.loadStateDict(tensors);
  decoder.eval();
  decoder.requiresGrad_(false);
  return decoder;
}

export interface FirstStageWeights {
  bundle: EncoderBundle;
  decoder: MaskedDecoder;
  preset: Preset;
  /** How they were trained. */
  metadata: Readonly<Record<string, string>>;
  /** What parameters are stored as; 16 bits halve the files. Loading gives float32 again. */
  dtype?: WeightsDType;
}

/** Writes the two files of stage one; returns the encoder's hash, by which identities and decoder name it. */
export async function saveWeights(
  folder: string,
  { bundle, decoder, preset, metadata, dtype = "float32" }: FirstStageWeights,
): Promise<string> {
  const shared = { ...metadata, preset: JSON.stringify(preset) };
  const save = (name: string, module: nn.Module, more?: Record<string, string>) =>
    scope(() => saveSafetensors(join(folder, name), stored(module, dtype), { metadata: { ...shared, ...more } }));
  save(ENCODER_FILE, bundle);
  const encoderHash = await sha256(join(folder, ENCODER_FILE));
  save(DECODER_FILE, decoder, { encoderHash });
  return encoderHash;
}

/** State as a file keeps it: statistics stay float32, for their smallest values matter. */
function stored(module: nn.Module, dtype: WeightsDType): Map<string, Tensor> {
  const state = module.stateDict();
  for (const [key, parameter] of module.namedParameters()) {
    const value = parameter.detach().to(dtype);
    if (dtype === "float16" && !value.isfinite().all().item()) {
      throw new Error(`${key}: its values do not fit into float16; store the weights as bfloat16`);
    }
    state.set(key, value);
  }
  return state;
}

interface OpenedWeights {
  preset: Preset;
  metadata: Readonly<Record<string, string>>;
  hash: string;
  tensors: Map<string, Tensor>;
}

async function openWeights(file: string): Promise<OpenedWeights> {
  if (!existsSync(file)) {
    throw new Error(`${file}: no such weights; train them (omni-id train mtd) or name their folder with --weights`);
  }
  const { tensors, metadata } = loadSafetensors(file);
  const parsed = presetSchema.safeParse(parseJson(metadata.preset));
  if (!parsed.success) throw new Error(`${file}: its metadata holds no preset of this program's version`);
  return { preset: parsed.data, metadata, hash: await sha256(file), tensors };
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(file)) hash.update(part as Buffer);
  return hash.digest("hex");
}

function disposeAll(module: nn.Module): void {
  for (const tensor of module.stateDict().values()) tensor.dispose();
}
