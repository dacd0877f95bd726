import { basename } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { FaceAnalyser, loadImage } from "@omni-id/face";
import { loadIdentity } from "../identity.ts";
import { checkEncoder } from "../identity-values.ts";
import { mainPortrait } from "../pictures/choose-faces.ts";
import { findFaces } from "../pictures/found-photo.ts";
import { saveSheet, toRgb } from "../pictures/picture.ts";
import { MaskedTarget } from "../reconstruct.ts";
import { loadFirstStage } from "../weights/first-stage.ts";
import { useDevice } from "./device.ts";
import { deviceOption, jsonOption, weightsOption, whole } from "./options.ts";
import { outFile } from "./out-file.ts";
import { print } from "./output.ts";

export function reconstructCommand() {
  return new Command("reconstruct")
    .argument("<target>", "a photo; its pose and light are kept, its face is drawn anew")
    .requiredOption("--id <file...>", "identity files; each gives one picture")
    .requiredOption("-o, --out <file>", "picture to write: target | visible patches | a picture an identity")
    .option("--seed <number>", "seed of the mask", whole, 7)
    .addOption(weightsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExample:\n  omni-id reconstruct photo.jpg --id alice.safetensors bob.safetensors -o out/drawn.png",
    )
    .action(async (photo, options) => {
      const out = outFile(options.out, { kind: "picture", inputs: [photo, ...options.id] });
      useDevice(options.device);
      const { encoder, decoder } = await loadFirstStage(options.weights);
      const identities = options.id.map((file) => {
        const identity = loadIdentity(file);
        checkEncoder(file, identity, encoder.hash);
        return { file, identity };
      });
      const image = await loadImage(photo);
      const portrait = mainPortrait(photo, (await findFaces(await FaceAnalyser.load(), photo, image)).faces);
      const target = new MaskedTarget(portrait.image, portrait.face.landmarks, {
        decoder,
        imageSize: encoder.preset.mtd.imageSize,
        maskRatio: encoder.preset.mtd.maskRatio,
        tokens: encoder.preset.mtd.tokens,
        seed: options.seed,
      });
      const made = identities.map(({ file, identity }) => {
        const picture = target.reconstruct(identity.tokens);
        return { file, l1: target.l1(picture), picture: toRgb(target.paste(picture).squeeze(0)) };
      });
      await saveSheet(out, {
        title: "Reconstruction",
        columns: ["target", "visible", ...made.map(({ file }) => basename(file))],
        rows: [[toRgb(target.truth.squeeze(0)), toRgb(target.visible().squeeze(0)), ...made.map((one) => one.picture)]],
        notes: ["Inside the face every pixel is the decoder's; around the face the target is pasted in."],
        tile: 192,
      });
      const l1 = Object.fromEntries(made.map((one) => [one.file, one.l1]));
      print({ file: options.out, l1 }, { json: options.json, file: out, text: out });
    });
}
