import { statSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { loadEncoder, loadMaskedDecoder, saveWeights } from "../weights.ts";
import { WEIGHTS_DTYPES } from "../weights-file.ts";
import { DECODER_FILE, ENCODER_FILE } from "../weights-folder.ts";
import { jsonOption } from "./options.ts";
import { outFolder, print } from "./output.ts";

export function exportCommand() {
  return new Command("export")
    .requiredOption("-o, --out <folder>", "folder of the files to write, such as weights/nano")
    .option("--weights <folder>", "trained weights", "runs/mtd/weights")
    .addOption(
      new Option("--dtype <name>", "what parameters are stored as").choices(WEIGHTS_DTYPES).default("float16" as const),
    )
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nLoading gives float32 again. Identities name the encoder by its file's hash: those of the trained weights\n" +
        "and those of the exported ones do not mix.",
    )
    .action(async ({ out, weights, dtype, json }) => {
      outFolder(out);
      const encoder = await loadEncoder(weights);
      const decoder = await loadMaskedDecoder(weights, encoder);
      const { bundle, preset, metadata } = encoder;
      const hash = await saveWeights(out, { bundle, decoder, preset, metadata, dtype });
      const files = [ENCODER_FILE, DECODER_FILE].map((name) => join(out, name));
      const sizes = files.map((file) => `${file}: ${(statSync(file).size / 1e6).toFixed(1)} MB`);
      print({ files, dtype, hash }, { json, text: [...sizes, `encoder ${hash.slice(0, 12)}`].join("\n") });
    });
}
