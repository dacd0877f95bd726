import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { ShardSet, splitOf } from "@omni-id/data";
import { autocast, preferredPrecision } from "@omni-id/torch";
import type { RecogniserBackbone } from "../backbones/recogniser.ts";
import { describeFirstStage, evaluateFirstStage } from "../evaluate/first-stage.ts";
import { saveReconstructionSheet } from "../evaluate/sheet.ts";
import { preparePeople } from "../train/prepare.ts";
import { loadEncoder, loadMaskedDecoder, shippedWeights } from "../weights.ts";
import { print, whole } from "./output.ts";

export function evaluateCommand() {
  return new Command("evaluate")
    .description("measure stage one on the 44 held-out people: JSON and a picture")
    .option("--data <folder>", "shards whose held-out people are used", "data/synth")
    .option("--weights <folder>", "weights to measure (default: the shipped ones)")
    .option("--people <which>", "test (the 44 held-out people) or validation (what recipes may be chosen by)", "test")
    .option("-o, --out <file>", "JSON to write; the picture goes beside it", "results/first-stage.json")
    .option("--cache <folder>", "prepared crops and feature maps", "data/cache")
    .option("--seed <number>", "seed of the masks", whole, 7)
    .option("--json", "print the report as JSON too")
    .action(async (options) => {
      const folder = options.weights ?? shippedWeights();
      const encoder = await loadEncoder(folder);
      const decoder = await loadMaskedDecoder(folder, encoder);
      const shards = await ShardSet.open(options.data);
      const split = splitOf(shards);
      if (options.people !== "test" && options.people !== "validation") {
        throw new Error(`--people ${options.people}: choose test or validation`);
      }
      const people = await preparePeople({
        shards,
        ids: split[options.people],
        backbone: encoder.bundle.encoder.backbone as RecogniserBackbone,
        imageSize: encoder.preset.imageSize,
        cache: options.cache,
        jitter: false,
      });
      const onProgress = (what: string) => process.stderr.write(`${what} …\n`);
      const { report, tasks, reconstructions } = autocast(
        { dtype: "bfloat16", enabled: preferredPrecision() === "bfloat16" },
        () => evaluateFirstStage({ encoder, decoder, people, seed: options.seed, onProgress }),
      );
      mkdirSync(dirname(options.out), { recursive: true });
      writeFileSync(`${options.out}.tmp`, `${JSON.stringify(report, null, 2)}\n`);
      renameSync(`${options.out}.tmp`, options.out);
      const picture = join(dirname(options.out), `${basename(options.out, extname(options.out))}.png`);
      const lines = describeFirstStage(report);
      await saveReconstructionSheet(picture, {
        people,
        tasks,
        made: reconstructions,
        title: "Omni-ID nano, stage one: people it has never seen",
        notes: lines,
      });
      print(report, { json: options.json, text: [...lines, `${options.out} · ${picture}`].join("\n") });
    });
}
