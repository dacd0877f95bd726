import { basename, dirname, extname, join } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { ShardSet, splitIdentities } from "@omni-id/data";
import { autocast, preferredPrecision, writeAtomically } from "@omni-id/torch";
import { describeFirstStage, evaluateFirstStage } from "../evaluate/first-stage.ts";
import { saveReconstructionSheet } from "../evaluate/sheet.ts";
import { preparePeople, recogniserOf } from "../train/prepare.ts";
import { loadFirstStage } from "../weights.ts";
import { useDevice } from "./device.ts";
import { deviceOption, jsonOption, weightsOption, whole } from "./options.ts";
import { note, outFile, print } from "./output.ts";

export function evaluateCommand() {
  return new Command("evaluate")
    .option("--data <folder>", "shards whose held-out people are used", "data/synth")
    .addOption(
      new Option("--people <which>", "the 44 held-out people, or the 44 that recipes may be chosen by")
        .choices(["test", "validation"] as const)
        .default("test" as const),
    )
    .option("-o, --out <file>", "JSON to write; the picture goes beside it", "results/first-stage.json")
    .option("--cache <folder>", "prepared crops and feature maps", "data/cache")
    .option("--seed <number>", "seed of the masks", whole, 7)
    .addOption(weightsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nThe shards must be those that the weights were trained on: others hold out other people.")
    .action(async (options) => {
      const out = outFile(options.out);
      useDevice(options.device);
      const { encoder, decoder } = await loadFirstStage(options.weights);
      const shards = await ShardSet.open(options.data);
      const people = await preparePeople({
        shards,
        ids: splitIdentities(shards.ids)[options.people],
        backbone: recogniserOf(encoder.bundle.encoder),
        imageSize: encoder.preset.imageSize,
        cache: options.cache,
        jitter: false,
      });
      const onProgress = (what: string) => note(`${what} …`);
      const { report, tasks, reconstructions } = autocast(
        { dtype: "bfloat16", enabled: preferredPrecision() === "bfloat16" },
        () => evaluateFirstStage({ encoder, decoder, people, seed: options.seed, onProgress }),
      );
      writeAtomically(out, `${JSON.stringify(report, null, 2)}\n`);
      const picture = join(dirname(out), `${basename(out, extname(out))}.png`);
      const lines = describeFirstStage(report);
      await saveReconstructionSheet(picture, {
        people,
        tasks,
        made: reconstructions,
        title: "Omni-ID nano, stage one: people it has never seen",
        notes: lines,
      });
      print(report, { json: options.json, text: [...lines, `${out} · ${picture}`].join("\n") });
    });
}
