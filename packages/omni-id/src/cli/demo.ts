import { existsSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { isStream } from "@omni-id/torch";
import { FaceGenerator } from "../generate/face-generator.ts";
import { SceneGenerator } from "../generate/scene-generator.ts";
import { photoFiles, tellLeftOut } from "../pictures/photo-files.ts";
import { readWeightsNote } from "../weights/file.ts";
import { type LoadedEncoder, loadFirstStage } from "../weights/first-stage.ts";
import { ADAPTER_FILE, hasFlowWeights } from "../weights/flow.ts";
import { shippedWeights } from "../weights/folder.ts";
import { demo } from "./demo-run.ts";
import { useDevice } from "./device.ts";
import { deviceOption, jsonOption, weightsOption, whole } from "./options.ts";
import { outFile } from "./out-file.ts";
import { note, print } from "./output.ts";

export function demoCommand() {
  return new Command("demo")
    .argument("[photos...]", "photos of one person, or a folder of them; two rendered people when absent")
    .option("-o, --out <file>", "picture to write; the others go beside it", "out/demo.png")
    .option("--no-scenes", "leave out the person in three scenes")
    .option("--person <number>", "which rendered person", whole, 0)
    .addOption(weightsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Three sheets. The first: inputs | target | its 5 % visible patches | reconstruction from 1, 3 and 5 photos | the same with somebody
else's identity. The last photos are the targets; give six or more for five inputs. The second: new pictures of the
person in five poses, from the identity and noise alone. The third: the person in three scenes, each told in a sentence.

Examples:
  omni-id demo
  omni-id demo my-photos/*.jpg -o out/me.png`,
    )
    .action(async (photos, options) => {
      const { files, leftOut } = photoFiles(photos);
      for (const line of tellLeftOut(leftOut)) note(line);
      const out = outFile(options.out, { kind: "picture", inputs: files });
      const ending = extname(out);
      const [beside, besideScenes] = ["generated", "scenes"].map((what) =>
        join(dirname(out), `${basename(out, ending)}-${what}${ending || ".png"}`),
      );
      if (!isStream(out)) for (const file of [beside, besideScenes]) outFile(file, { kind: "picture", inputs: files });
      useDevice(options.device);
      const folder = options.weights ?? shippedWeights();
      const { encoder, decoder } = await loadFirstStage(folder);
      const onProgress = (what: string) => note(`${what} …`);
      const generator = hasFlowWeights(folder) ? await FaceGenerator.load(folder, encoder) : undefined;
      const generatedOut = generator && !isStream(out) ? beside : undefined;
      const scenes = await sceneGenerator(encoder, { wanted: options.scenes && !isStream(out) });
      const scenesOut = scenes && besideScenes;
      const result = await demo({
        encoder,
        decoder,
        generator,
        generatedOut,
        scenes,
        scenesOut,
        photos: files,
        person: options.person,
        out,
        onProgress,
      });
      for (const { photo, reason } of result.refused) note(`refused: ${photo}: ${reason}`);
      for (const warning of result.warnings) note(`note: ${warning}`);
      print(
        {
          file: options.out,
          generated: generatedOut,
          scenes: scenesOut,
          figures: result.figures,
          near: result.near,
          refused: result.refused,
          warnings: result.warnings,
        },
        {
          json: options.json,
          file: out,
          text: [
            ...result.lines,
            `picture: ${out}`,
            ...(generatedOut ? [`generated: ${generatedOut}`] : []),
            ...(scenesOut ? [`scenes: ${scenesOut}`] : []),
          ].join("\n"),
        },
      );
    });
}

/** What draws the demo's people in scenes, where the shipped weights do so and were trained with this encoder. */
async function sceneGenerator(
  encoder: LoadedEncoder,
  { wanted }: { wanted: boolean },
): Promise<SceneGenerator | undefined> {
  const folder = shippedWeights("nano-scenes");
  const file = join(folder, ADAPTER_FILE);
  if (!wanted || !existsSync(file)) return undefined;
  const { metadata } = await readWeightsNote(file, "personalise");
  return metadata.encoderHash === encoder.hash ? SceneGenerator.load(folder, encoder) : undefined;
}
