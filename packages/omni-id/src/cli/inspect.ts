import { Command } from "@commander-js/extra-typings";
import { inspectShards, renderStats, ShardSet, shardStats } from "@omni-id/data";
import { saveImage } from "@omni-id/face";
import { count, jsonOption, whole } from "./options.ts";
import { outFile } from "./out-file.ts";
import { print, progress } from "./output.ts";

export function inspectCommand() {
  return new Command("inspect")
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

export function statsCommand() {
  return new Command("stats")
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
