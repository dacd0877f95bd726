import { basename } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { encodeIdentity } from "../encode.ts";
import { saveIdentity } from "../identity.ts";
import { loadEncoder } from "../weights.ts";
import { outFile, print } from "./output.ts";

export function encodeCommand() {
  return new Command("encode")
    .description("photos of one person → one identity file")
    .argument("<photos...>", "photos of the person, any number; JPEG, PNG, WebP, TIFF, AVIF or GIF")
    .requiredOption("-o, --out <file>", "identity file to write, such as alice.safetensors")
    .option("--weights <folder>", "folder of the encoder's weights (default: the shipped ones)")
    .option("--float32", "keep full precision (default: float16, 8 KB an identity)")
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nPhotos without a usable face are refused one by one, with the reason; the others go in.\nWhere a photo shows several people, the one whom the other photos show is taken.",
    )
    .action(async (photos, options) => {
      const out = outFile(options.out);
      const encoder = await loadEncoder(options.weights);
      const { identity, used, refused, warnings } = await encodeIdentity(encoder, photos);
      saveIdentity(out, identity, { dtype: options.float32 ? "float32" : "float16" });
      for (const { photo, reason } of refused) process.stderr.write(`refused: ${photo}: ${reason}\n`);
      for (const warning of warnings) process.stderr.write(`note: ${warning}\n`);
      const shape = identity.tokens.shape;
      print(
        { file: options.out, shape, encoder: identity.encoder, photos: identity.photos, refused, warnings },
        {
          json: options.json,
          text: `${options.out}: one identity [${shape.join(", ")}] from ${used.length} of ${photos.length} photos (${used.map(({ photo }) => basename(photo)).join(", ")})`,
        },
      );
    });
}
