import { Command } from "@commander-js/extra-typings";
import { mean } from "@omni-id/data";
import { encodeIdentity } from "../encode.ts";
import { attentionOf } from "../evaluate/attention-photos.ts";
import { saveAttentionSheet } from "../evaluate/attention-sheet.ts";
import { photoFiles, tellLeftOut } from "../pictures/photo-files.ts";
import { loadEncoder } from "../weights/first-stage.ts";
import { useDevice } from "./device.ts";
import { count, deviceOption, jsonOption, weightsOption } from "./options.ts";
import { outFile } from "./out-file.ts";
import { note, print } from "./output.ts";

export function attentionCommand() {
  return new Command("attention")
    .argument("<photos...>", "photos of one person, or folders of them")
    .requiredOption("-o, --out <file>", "picture to write: photos in rows, queries in columns")
    .option("-n, --queries <number>", "queries to show: the most local ones that look at different places", count, 6)
    .option("--block <number>", "cross-attention block, from 1 (default: the last one)", count)
    .addOption(weightsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
For every query: entropy (1 looks everywhere alike, 0 at one place), the part of the face that is nearest, and how far
its middle moves between the photos (spread, in distances from the eyes to the mouth). --json lists all queries.

Example:
  omni-id attention alice/*.jpg -o out/attention.png`,
    )
    .action(async (photos, options) => {
      const { files, leftOut } = photoFiles(photos);
      const out = outFile(options.out, { kind: "picture", inputs: files });
      useDevice(options.device);
      const encoder = await loadEncoder(options.weights);
      const { used, refused, warnings } = await encodeIdentity(encoder, files);
      for (const line of tellLeftOut(leftOut)) note(line);
      for (const { photo, reason } of refused) note(`refused: ${photo}: ${reason}`);
      for (const warning of warnings) note(`note: ${warning}`);
      const report = attentionOf(encoder.bundle.encoder, used, { block: options.block });
      await saveAttentionSheet(out, report, { count: options.queries });
      const { block, queries, placed } = report;
      const entropy = mean(queries.map((query) => query.entropy));
      print(
        { file: options.out, block, photos: used.map(({ photo }) => photo), placed, entropy, queries },
        {
          json: options.json,
          file: out,
          text: `${options.out}: ${queries.length} queries over ${used.length} photos, mean entropy ${entropy.toFixed(2)}`,
        },
      );
    });
}
