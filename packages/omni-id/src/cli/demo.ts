import { Command } from "@commander-js/extra-typings";
import { demo } from "../demo.ts";
import { loadEncoder, loadMaskedDecoder, shippedWeights } from "../weights.ts";
import { outFile, print, whole } from "./output.ts";

export function demoCommand() {
  return new Command("demo")
    .description("photos of one person → one identity → a contact sheet with the measured numbers")
    .argument("[photos...]", "photos of one person; two rendered people when absent")
    .option("-o, --out <file>", "PNG to write", "out/demo.png")
    .option("--person <number>", "which rendered person", whole, 0)
    .option("--weights <folder>", "folder of the weights (default: the shipped ones)")
    .option("--json", "print the result as JSON")
    .action(async (photos, options) => {
      const out = outFile(options.out);
      const folder = options.weights ?? shippedWeights();
      const encoder = await loadEncoder(folder);
      const decoder = await loadMaskedDecoder(folder, encoder);
      const onProgress = (what: string) => process.stderr.write(`${what} …\n`);
      const result = await demo({ encoder, decoder, photos, person: options.person, out, onProgress });
      for (const { photo, reason } of result.refused) process.stderr.write(`refused: ${photo}: ${reason}\n`);
      for (const warning of result.warnings) process.stderr.write(`note: ${warning}\n`);
      print(
        { file: options.out, figures: result.figures, refused: result.refused, warnings: result.warnings },
        { json: options.json, text: [...result.lines, `picture: ${out}`].join("\n") },
      );
    });
}
