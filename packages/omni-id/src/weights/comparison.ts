import { join } from "node:path";
import type { IdentityValues } from "../identity-values.ts";
import { similarityBy } from "../similarity.ts";
import { encoderName, readWeightsNote } from "./file.ts";
import { ENCODER_FILE, shippedWeights } from "./folder.ts";

/** What comparing identities needs of the encoder that made them. */
export interface Comparison {
  /** Name and SHA-256 of the weights file. */
  name: string;
  hash: string;
  /** As `EncoderBundle.compared` has it: a cosine, −1 … 1, higher for the same person. */
  similarity(a: IdentityValues, b: IdentityValues): number;
}

/**
 * Reads from an encoder's file what comparing needs, without LibTorch: loading that takes longer than all the rest.
 * @param folder where `omni-id-encoder.safetensors` lies; the shipped nano weights when absent
 * @throws when the file is missing or damaged
 */
export async function openComparison(folder: string = shippedWeights()): Promise<Comparison> {
  const { preset, hash, opened } = await readWeightsNote(join(folder, ENCODER_FILE), "mtd");
  const carried = preset.encoder.carriedTokens * preset.identity.width;
  const [mean, deviation] = ["identity_mean", "identity_deviation"].map((key) => opened.values(key));
  return { name: encoderName(preset, hash), hash, similarity: similarityBy({ carried, mean, deviation }) };
}
