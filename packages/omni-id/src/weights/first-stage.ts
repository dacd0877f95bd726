import { join } from "node:path";
import { F, nn, noGrad, scope, type Tensor, zeros } from "@omni-id/torch";
import { Encoder } from "../encoder.ts";
import type { MaskedDecoder } from "../masked-decoder.ts";
import type { Preset } from "../presets/schema.ts";
import type { Representation } from "../representations/representation.ts";
import { strangenessBy } from "../similarity.ts";
import { buildMaskedDecoder, buildRepresentation } from "./build.ts";
import { encoderName, openWeightsFile, saveWeightsFile, type WeightsNote } from "./file.ts";
import { DECODER_FILE, ENCODER_FILE, shippedWeights } from "./folder.ts";

/** Everything that turns photos into an identity and compares identities: what {@link ENCODER_FILE} holds. */
export class EncoderBundle<E extends Representation = Encoder> extends nn.Module {
  readonly encoder: E;
  /** Mean ℓ of the training people, `[L, C]`. */
  readonly identity_mean: Tensor;
  /** Deviation of ℓ over the training people, `[L, C]`. */
  readonly identity_deviation: Tensor;

  constructor(encoder: E) {
    super();
    const [tokens, width] = encoder.identityShape;
    this.encoder = encoder;
    this.identity_mean = nn.buffer(zeros([tokens, width]));
    this.identity_deviation = nn.buffer(scope(() => zeros([tokens, width]).add(1)));
  }

  /** Sets mean and deviation from the identities of training people, `[N, L, C]`, or of several photos each `[N, M · L, C]`. */
  standardise(identities: Tensor): void {
    scope(() =>
      noGrad(() => {
        const each = identities.reshape([-1, ...this.identity_mean.shape]);
        this.identity_mean.copy_(each.mean([0]));
        this.identity_deviation.copy_(each.std([0]).add(1e-4));
      }),
    );
  }

  /**
   * Unit vectors whose cosine tells how alike two identities are: `[N, L, C] → [N, D]`. What an identity carries of its
   * backbone tells people apart best; else all of it does, relative to the training people.
   */
  compared(identities: Tensor): Tensor {
    return this.encoder.carriedTokens > 0 ? this.carriedPart(identities) : this.learntPart(identities);
  }

  /**
   * How far an identity `[L, C]` lies from those of the training people, by the tokens that carry the backbone's feature,
   * in their deviations: about 1 for pictures of the kind that was trained on. Undefined where nothing is carried.
   */
  strangeness(identity: Tensor): number | undefined {
    return scope(() =>
      strangenessBy({
        carried: this.encoder.carriedTokens * identity.shape[1],
        mean: numbersOf(this.identity_mean),
        deviation: numbersOf(this.identity_deviation),
      })(numbersOf(identity)),
    );
  }

  /** The tokens that carry the backbone's feature, of length 1; `[N, L, C] → [N, carried · C]`. */
  carriedPart(identities: Tensor): Tensor {
    return scope(() =>
      noGrad(() => F.normalize(identities.narrow(1, 0, this.encoder.carriedTokens).flatten(1).float(), { dim: 1 })),
    );
  }

  /** The other tokens, relative to the training people, of length 1: `[N, L, C] → [N, (L − carried) · C]`. */
  learntPart(identities: Tensor): Tensor {
    return scope(() =>
      noGrad(() => {
        const carried = this.encoder.carriedTokens;
        const standard = identities.float().sub(this.identity_mean).div(this.identity_deviation);
        return F.normalize(standard.narrow(1, carried, standard.shape[1] - carried).flatten(1), { dim: 1 });
      }),
    );
  }
}

/** An encoder with its weights, ready to use; dispose it to give its memory back at once. */
export interface LoadedEncoder<E extends Representation = Encoder> extends Disposable {
  bundle: EncoderBundle<E>;
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
  const loaded = await loadRepresentation(folder);
  if (isEncoder(loaded)) return loaded;
  const { kind } = loaded.preset.representation;
  throw new Error(
    `${join(folder, ENCODER_FILE)}: holds the representation "${kind}", with which the encoder is compared: train flow and evaluate take it, all else wants an encoder`,
  );
}

/** Loads what stands for a person in some weights: the encoder, or a representation that it is compared with. @throws as {@link loadEncoder} */
export async function loadRepresentation(folder: string = shippedWeights()): Promise<LoadedEncoder<Representation>> {
  const file = join(folder, ENCODER_FILE);
  const { preset, metadata, hash, tensors } = await openWeightsFile(file, "mtd");
  const bundle = new EncoderBundle(buildRepresentation(preset));
  bundle.loadStateDict(tensors);
  bundle.eval();
  bundle.requiresGrad_(false);
  const name = encoderName(preset, hash);
  return { bundle, preset, name, hash, metadata, [Symbol.dispose]: () => disposeAll(bundle) };
}

const isEncoder = (loaded: LoadedEncoder<Representation>): loaded is LoadedEncoder =>
  loaded.bundle.encoder instanceof Encoder;

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
  const { preset, metadata, tensors } = await openWeightsFile(file, "mtd");
  if (metadata.encoderHash !== encoder.hash) {
    throw new Error(`${file}: trained with another encoder than ${ENCODER_FILE} beside it; take both from one run`);
  }
  const decoder = buildMaskedDecoder(preset);
  decoder.loadStateDict(tensors);
  decoder.eval();
  decoder.requiresGrad_(false);
  return decoder;
}

/**
 * Puts the weights of a folder's masked decoder into another of the same shape, whichever encoder they were made for.
 * @returns its metadata: how it was trained
 */
export async function startMaskedDecoder(decoder: MaskedDecoder, folder: string): Promise<Record<string, string>> {
  const { tensors, metadata } = await openWeightsFile(join(folder, DECODER_FILE), "mtd");
  decoder.loadStateDict(tensors);
  return metadata;
}

export interface FirstStageWeights extends WeightsNote {
  bundle: EncoderBundle<Representation>;
  decoder: MaskedDecoder;
}

/** Writes the two files of stage one; returns the encoder's hash, by which identities and decoder name it. */
export async function saveWeights(folder: string, { decoder, ...encoder }: FirstStageWeights): Promise<string> {
  const encoderHash = await saveEncoder(folder, encoder);
  await saveMaskedDecoder(folder, { decoder, encoderHash, ...encoder });
  return encoderHash;
}

/** Writes the masked decoder alone, for the encoder of a hash. */
export async function saveMaskedDecoder(
  folder: string,
  { decoder, encoderHash, preset, metadata, dtype }: WeightsNote & { decoder: MaskedDecoder; encoderHash: string },
): Promise<void> {
  await saveWeightsFile(join(folder, DECODER_FILE), decoder, { preset, dtype, metadata: { ...metadata, encoderHash } });
}

/** Writes the encoder alone; returns its hash. */
export function saveEncoder(folder: string, { bundle, ...note }: Omit<FirstStageWeights, "decoder">): Promise<string> {
  return saveWeightsFile(join(folder, ENCODER_FILE), bundle, note);
}

function disposeAll(module: nn.Module): void {
  for (const tensor of module.stateDict().values()) tensor.dispose();
}

const numbersOf = (values: Tensor) => values.float().toTypedArray() as Float32Array;
