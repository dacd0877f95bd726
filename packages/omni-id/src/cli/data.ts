import { resolve } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { inspectShards, NANO_RECIPE, renderStats, ShardSet, shardStats, writeSyntheticShards } from "@omni-id/data";
import { saveImage } from "@omni-id/face";
import { curateCommand, mergeCommand, removeCommand } from "./curate.ts";
import { evaluateCurationCommand, filmsCommand } from "./films.ts";
import { importCommand } from "./import.ts";
import { count, jsonOption, whole } from "./options.ts";
import { outFile, outFolder } from "./out-file.ts";
import { Interrupted, interruptible, note, print, progress } from "./output.ts";

export function dataCommand() {
  return new Command("data")
    .addCommand(synthCommand())
    .addCommand(curateCommand())
    .addCommand(importCommand())
    .addCommand(mergeCommand())
    .addCommand(removeCommand())
    .addCommand(filmsCommand())
    .addCommand(evaluateCurationCommand())
    .addCommand(inspectCommand())
    .addCommand(statsCommand());
}

function synthCommand() {
  return new Command("synth")
    .description("render synthetic people into WebDataset shards; interrupted, it goes on where it stopped")
    .option("-o, --out <folder>", "folder of the shards", "data/synth")
    .option("--identities <number>", "people", count, NANO_RECIPE.identities)
    .option("--images <number>", "pictures of each; training and evaluation want 8", count, NANO_RECIPE.images)
    .option("--size <pixels>", "side of a picture", count, NANO_RECIPE.size)
    .option("--seed <number>", "other people for another seed", whole, NANO_RECIPE.seed)
    .option("--workers <number>", "worker threads (default: one a core)", count)
    .addOption(jsonOption())
    .addHelpText("after", "\nThe same seed gives the same bytes, whatever the number of workers and of interruptions.")
    .action(async ({ json, out, identities, images, ...options }) => {
      outFolder(out);
      const { signal, release } = interruptible();
      const bar = progress("people");
      const done = await writeSyntheticShards({ ...options, out, identities, images, onProgress: bar.update, signal });
      bar.stop();
      release();
      if (done < identities) {
        note(`stopped at ${done} of ${identities} people; the same command goes on`);
        throw new Interrupted();
      }
      print(
        { folder: out, identities, images },
        { json, text: `${done} people × ${images} pictures in ${resolve(out)}` },
      );
    });
}

function inspectCommand() {
  return new Command("inspect")
    .description("a contact sheet of a set: masks bright, landmarks drawn in")
    .argument("[folder]", "shards", "data/synth")
    .option("-o, --out <file>", "picture to write", "out/inspect.png")
    .option("--rows <number>", "people to show", count, 8)
    .addOption(jsonOption())
    .action(async (folder, { out, rows, json }) => {
      const path = outFile(out, { kind: "picture" });
      await saveImage(path, await inspectShards(await ShardSet.open(folder), { rows }));
      print({ file: out }, { json, text: path, file: path });
    });
}

function statsCommand() {
  return new Command("stats")
    .description("count a set: poses, sizes, and in how many images the detector finds a face")
    .argument("[folder]", "shards", "data/synth")
    .option("--detect <number>", "images that the detector looks at", whole, 200)
    .addOption(jsonOption())
    .action(async (folder, { detect, json }) => {
      const bar = progress("people");
      const stats = await shardStats(await ShardSet.open(folder), { detect, onProgress: bar.update });
      bar.stop();
      print(stats, { json, text: renderStats(stats) });
    });
}
