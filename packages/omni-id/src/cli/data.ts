import { renameSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { inspectShards, renderStats, ShardSet, shardStats, writeSyntheticShards } from "@omni-id/data";
import { curateCommand, mergeCommand, removeCommand } from "./curate.ts";
import { evaluateCurationCommand, filmsCommand } from "./films.ts";
import { interruptible, outFile, print, progress, whole } from "./output.ts";

export function dataCommand() {
  return new Command("data")
    .description("make, look at and count training data")
    .addCommand(synthCommand())
    .addCommand(curateCommand())
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
    .requiredOption("-o, --out <folder>", "folder of the shards")
    .option("--identities <number>", "people", whole, 1500)
    .option("--images <number>", "pictures of each", whole, 8)
    .option("--size <pixels>", "side of a picture", whole, 96)
    .option("--seed <number>", "other people for another seed", whole, 0)
    .option("--workers <number>", "worker threads (default: one a core)", whole)
    .action(async (options) => {
      const { signal, release } = interruptible();
      const bar = progress("people");
      const done = await writeSyntheticShards({ ...options, onProgress: bar.update, signal });
      bar.stop();
      release();
      if (done < options.identities) {
        process.stderr.write(`stopped at ${done} of ${options.identities} people; the same command goes on\n`);
        process.exitCode = 130;
      } else process.stdout.write(`${done} people × ${options.images} pictures in ${resolve(options.out)}\n`);
    });
}

function inspectCommand() {
  return new Command("inspect")
    .description("a contact sheet of a set: masks bright, landmarks drawn in")
    .argument("<folder>", "shards")
    .option("-o, --out <file>", "PNG to write", "out/inspect.png")
    .option("--rows <number>", "people to show", whole, 8)
    .action(async (folder, options) => {
      const out = outFile(options.out);
      const png = await inspectShards(await ShardSet.open(folder), { rows: options.rows });
      writeFileSync(`${out}.tmp`, png);
      renameSync(`${out}.tmp`, out);
      process.stdout.write(`${out}\n`);
    });
}

function statsCommand() {
  return new Command("stats")
    .description("count a set: poses, sizes, and in how many images the detector finds a face")
    .argument("<folder>", "shards")
    .option("--detect <number>", "images that the detector looks at", whole, 200)
    .option("--json", "print the figures as JSON")
    .action(async (folder, options) => {
      const bar = progress("people");
      const stats = await shardStats(await ShardSet.open(folder), { detect: options.detect, onProgress: bar.update });
      bar.stop();
      print(stats, { json: options.json, text: renderStats(stats) });
    });
}
