import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { type nn, writeAtomically } from "@omni-id/torch";
import { commandsOf } from "../train/export.ts";
import { modelCard } from "../train/model-card.ts";
import { loadFirstStage, saveWeights, WEIGHTS_DTYPES } from "../weights.ts";
import { DECODER_FILE, ENCODER_FILE } from "../weights-folder.ts";
import { jsonOption } from "./options.ts";
import { outFolder, print } from "./output.ts";

export function exportCommand() {
  return new Command("export")
    .requiredOption("-o, --out <folder>", "folder of the files to write, such as weights/nano")
    .option("--weights <folder>", "trained weights", "runs/mtd/weights")
    .option("--data <folder>", "shards that they were trained on, where the weights do not say", "data/synth")
    .addOption(
      new Option("--dtype <name>", "what parameters are stored as").choices(WEIGHTS_DTYPES).default("float16" as const),
    )
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Loading gives float32 again. Identities name the encoder by its file's hash: those of the trained weights and those of
the exported ones do not mix. In a checkout, \`npm run numbers\` fills the cards' tables from results.`,
    )
    .action(async ({ out, weights, data, dtype, json }) => {
      outFolder(out);
      const { encoder, decoder } = await loadFirstStage(weights);
      const { bundle, preset } = encoder;
      const { seed = "0", precision = "float32" } = encoder.metadata;
      const metadata = { ...commandsOf({ data, preset, seed: Number(seed), precision }), ...encoder.metadata };
      const hash = await saveWeights(out, { bundle, decoder, preset, metadata, dtype });
      const write = (file: typeof ENCODER_FILE | typeof DECODER_FILE, module: nn.Module) => {
        const bytes = readFileSync(join(out, file));
        const parameters = module.parameters().reduce((sum, { numel }) => sum + numel, 0);
        const sha256 = createHash("sha256").update(bytes).digest("hex");
        const facts = { file, hash: sha256, size: bytes.length, parameters, dtype, preset, metadata };
        writeAtomically(join(out, `${basename(file, ".safetensors")}.md`), modelCard(facts));
        return `${join(out, file)}: ${(bytes.length / 1e6).toFixed(1)} MB`;
      };
      const lines = [write(ENCODER_FILE, bundle), write(DECODER_FILE, decoder), `encoder ${hash.slice(0, 12)}`];
      print({ folder: out, dtype, hash }, { json, text: lines.join("\n") });
    });
}
