import { Command } from "@commander-js/extra-typings";
import { encodeIdentity } from "../encode.ts";
import { kindOfPictures, REAL_GUIDANCE, UNFAMILIAR } from "../generate/draw-settings.ts";
import { saveIdentity } from "../identity.ts";
import { photoFiles, tellLeftOut } from "../pictures/photo-files.ts";
import { loadEncoder } from "../weights/first-stage.ts";
import { useDevice } from "./device.ts";
import { deviceOption, jsonOption, weightsOption } from "./options.ts";
import { outFile } from "./out-file.ts";
import { note, print, progress } from "./output.ts";

/** So many photos are read in a moment, without a bar. */
const FEW = 10;

export function encodeCommand() {
  return new Command("encode")
    .argument(
      "<photos...>",
      "photos of the person, any number, or folders of them; JPEG, PNG, WebP, TIFF, AVIF, HEIC or GIF",
    )
    .requiredOption("-o, --out <file>", "identity file to write, such as alice.safetensors")
    .option("--float32", "keep full precision (default: float16, 8 KB an identity)")
    .addOption(weightsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Photos without a usable face are refused one by one, with the reason; the others go in.
Where a photo shows several people, the one whom the other photos show is taken.

Examples:
  omni-id encode alice/*.jpg -o alice.safetensors
  omni-id encode alice/*.jpg -o alice.safetensors --json | jq .refused`,
    )
    .action(async (photos, options) => {
      const { files, leftOut } = photoFiles(photos);
      const out = outFile(options.out, { kind: "identity", inputs: files });
      useDevice(options.device);
      const encoder = await loadEncoder(options.weights);
      const bar = files.length > FEW ? progress("photos") : undefined;
      const result = await encodeIdentity(encoder, files, { onProgress: bar?.update });
      bar?.stop();
      const { identity, used, refused, warnings } = result;
      saveIdentity(out, identity, { dtype: options.float32 ? "float32" : "float16" });
      for (const line of tellLeftOut(leftOut)) note(line);
      for (const { photo, reason } of refused) note(`refused: ${photo}: ${reason}`);
      for (const warning of warnings) note(`note: ${warning}`);
      const shape = identity.tokens.shape;
      const { strangeness } = identity;
      const kind = kindOfPictures(strangeness);
      print(
        {
          ...{ file: options.out, shape, encoder: identity.encoder, photos: identity.photos, strangeness, kind },
          ...{ refused, leftOut, warnings },
        },
        {
          json: options.json,
          file: out,
          text: `${options.out}: one identity [${shape.join(", ")}] from ${used.length} of ${files.length} photos${kind === "other" ? `\npictures of another kind than the weights were trained on (${strangeness?.toFixed(2)}, theirs are up to ${UNFAMILIAR}): generate draws what it knows of them, or takes guidance ${REAL_GUIDANCE}` : ""}`,
        },
      );
    });
}
