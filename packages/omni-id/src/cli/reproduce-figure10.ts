import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { provenance, ShardSet } from "@omni-id/data";
import { writeAtomically } from "@omni-id/torch";
import { neverMet } from "../evaluate/never-met.ts";
import { figure10, lookAtPeople, saveFigure10 } from "../experiments/figure10.ts";
import { synthCommand } from "../train/commands.ts";
import { loadEncoder } from "../weights/first-stage.ts";
import { shippedWeights } from "../weights/folder.ts";
import { useDevice } from "./device.ts";
import { count, deviceOption, jsonOption, weightsOption } from "./options.ts";
import { note, print } from "./output.ts";
import { RESULTS } from "./reproduce-folder.ts";

/** `omni-id reproduce figure10`: what each query looks at, and whether it is the same in everybody. */
export function figure10Command() {
  return new Command("figure10")
    .description("what the encoder's queries look at, over people whom nothing was trained on")
    .option("--data <folder>", "shards of: omni-id data synth", "data/synth")
    .option("--people <number>", "how many of the test people", count, 20)
    .option("--results <folder>", "where figure10.json and figure10.png go", RESULTS)
    .addOption(weightsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .action(async (options, command) => {
      // The command above has options of the same names, which take what stands before and after.
      const { data, people, results, weights, device, json } = { ...options, ...command.optsWithGlobals() };
      useDevice(device);
      const encoder = await loadEncoder(weights);
      const onProgress = (done: number, all: number) => note(`${done} of ${all} people`);
      const shards = await ShardSet.open(data);
      const ids = neverMet(shards, { part: "test", weights: [weights ?? shippedWeights()], note }).slice(0, people);
      const looked = await lookAtPeople(encoder, { shards, ids, onProgress });
      const figure = figure10(looked, {
        provenance: provenance(0),
        weights: encoder.name,
        data: synthCommand(data),
      });
      mkdirSync(results, { recursive: true });
      const [file, picture] = ["json", "png"].map((ending) => join(results, `figure10.${ending}`));
      await saveFigure10(picture, looked, figure);
      writeAtomically(file, `${JSON.stringify(figure, null, 2)}\n`);
      const [{ claim, answer, by }] = figure.hypotheses;
      print({ ...figure, file, picture }, { json, text: `${claim}: ${answer}, ${by}\n${file} · ${picture}` });
    });
}
