import { Command } from "@commander-js/extra-typings";
import { FaceAnalyser, loadImage } from "@omni-id/face";
import { checkEncoder, loadIdentity } from "../identity.ts";
import { saveSheet, toRgb } from "../picture.ts";
import { MaskedTarget } from "../reconstruct.ts";
import { loadEncoder, loadMaskedDecoder, shippedWeights } from "../weights.ts";
import { outFile, print, whole } from "./output.ts";

export function reconstructCommand() {
  return new Command("reconstruct")
    .description("draw an identity into a photo of which the decoder sees 5 %")
    .argument("<target>", "a photo; its pose and light are kept, its face is drawn anew")
    .requiredOption("--id <file...>", "identity files; each gives one picture")
    .requiredOption("-o, --out <file>", "PNG to write: target | visible patches | a picture an identity")
    .option("--weights <folder>", "folder of the weights (default: the shipped ones)")
    .option("--seed <number>", "seed of the mask", whole, 7)
    .option("--json", "print the result as JSON")
    .action(async (photo, options) => {
      const out = outFile(options.out);
      const folder = options.weights ?? shippedWeights();
      const encoder = await loadEncoder(folder);
      const decoder = await loadMaskedDecoder(folder, encoder);
      const image = await loadImage(photo);
      const [face] = await (await FaceAnalyser.load()).analyse(image);
      if (!face) throw new Error(`${photo}: no face found; use a photo where the face is at least 64 px wide`);
      const target = new MaskedTarget(image, face.landmarks, {
        decoder,
        imageSize: encoder.preset.imageSize,
        maskRatio: encoder.preset.mtd.maskRatio,
        seed: options.seed,
      });
      const made = options.id.map((file) => {
        const identity = loadIdentity(file);
        checkEncoder(file, identity, encoder.hash);
        const picture = target.reconstruct(identity.tokens);
        return { file, l1: target.l1(picture), picture: toRgb(target.paste(picture).squeeze(0)) };
      });
      await saveSheet(out, {
        title: "Reconstruction",
        columns: ["target", "visible", ...made.map(({ file }) => file.split("/").pop() ?? file)],
        rows: [[toRgb(target.truth.squeeze(0)), toRgb(target.visible().squeeze(0)), ...made.map((one) => one.picture)]],
        notes: ["Inside the face every pixel is the decoder's; around the face the target is pasted in."],
        tile: 192,
      });
      const l1 = Object.fromEntries(made.map((one) => [one.file, one.l1]));
      print({ file: options.out, l1 }, { json: options.json, text: out });
    });
}
