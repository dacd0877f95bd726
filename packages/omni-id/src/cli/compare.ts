import { Command } from "@commander-js/extra-typings";
import { readIdentity } from "../identity.ts";
import { checkEncoder } from "../identity-values.ts";
import { openComparison } from "../weights/comparison.ts";
import { jsonOption, weightsOption } from "./options.ts";
import { print } from "./output.ts";

export function compareCommand() {
  return new Command("compare")
    .argument("<a>", "identity file")
    .argument("<b>", "identity file")
    .addOption(weightsOption())
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
      const comparison = await openComparison(options.weights);
      const [one, two] = [a, b].map((file) => {
        const identity = readIdentity(file);
        checkEncoder(file, identity, comparison.hash);
        return identity;
      });
      const similarity = comparison.similarity(one, two);
      const result = { similarity, a, b, photos: [one.photos.length, two.photos.length], encoder: comparison.name };
      print(result, { json: options.json, text: `similarity ${similarity.toFixed(3)} (−1 … 1, higher: more alike)` });
    });
}
