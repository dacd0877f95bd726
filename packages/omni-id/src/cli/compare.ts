import { Command } from "@commander-js/extra-typings";
import { compareIdentities } from "../encode.ts";
import { checkEncoder, loadIdentity } from "../identity.ts";
import { loadEncoder } from "../weights.ts";
import { print } from "./output.ts";

export function compareCommand() {
  return new Command("compare")
    .description("how alike two identities are: higher for the same person")
    .argument("<a>", "identity file")
    .argument("<b>", "identity file")
    .option("--weights <folder>", "folder of the encoder's weights (default: the shipped ones)")
    .option("--json", "print { similarity, … }")
    .action(async (a, b, options) => {
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
