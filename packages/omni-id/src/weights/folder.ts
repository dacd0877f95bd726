import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Everything that turns photos into an identity and compares identities. */
export const ENCODER_FILE = "omni-id-encoder.safetensors";
/** The masked transformer decoder that was trained with it. */
export const DECODER_FILE = "masked-decoder.safetensors";

/** Where shipped weights lie: inside the package when installed, else in the repository. */
export function shippedWeights(preset = "nano"): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const places = [join(here, "../../weights", preset), join(here, "../../../../weights", preset)];
  return places.find((place) => existsSync(place)) ?? places[1];
}
