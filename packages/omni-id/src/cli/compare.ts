import { Command } from "@commander-js/extra-typings";
import { compareIdentities } from "../encode.ts";
import { checkEncoder, loadIdentity } from "../identity.ts";
import { loadEncoder } from "../weights/first-stage.ts";
import { useDevice } from "./device.ts";
import { deviceOption, jsonOption, weightsOption } from "./options.ts";
import { print } from "./output.ts";

export function compareCommand() {
  return new Command("compare")
    .argument("<a>", "identity file")
    .argument("<b>", "identity file")
    .addOption(weightsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
The similarity is a cosine, −1 … 1. Only its order means something: which of two pairs is more alike.
Both files must come from the encoder at hand.

Example:
  omni-id compare alice.safetensors bob.safetensors --json   prints { similarity, … }`,
    )
    .action(async (a, b, options) => {
      useDevice(options.device);
      const encoder = await loadEncoder(options.weights);
      const [one, two] = [a, b].map((file) => {
        const identity = loadIdentity(file);
        checkEncoder(file, identity, encoder.hash);
        return identity;
      });
      const similarity = compareIdentities(encoder, one, two);
      const result = { similarity, a, b, photos: [one.photos.length, two.photos.length], encoder: encoder.name };
      print(result, { json: options.json, text: `similarity ${similarity.toFixed(3)} (−1 … 1, higher: more alike)` });
    });
}
