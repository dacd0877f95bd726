import { resolve } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { parsePart } from "@omni-id/data";
import { InvalidArgumentError } from "commander";
import { prepareStreamed } from "../people/prepare-streamed.ts";
import { resolvePreset } from "../presets/index.ts";
import { count, jsonOption } from "./options.ts";
import { outFolder } from "./out-file.ts";
import { Interrupted, interruptible, note, print } from "./output.ts";

export function prepareCommand() {
  return new Command("prepare")
    .argument("<shards>", "folder of the set, such as one of: omni-id data curate")
    .requiredOption("-o, --out <folder>", "folder of the prepared set")
    .option("--preset <name>", "whose sizes are cut: paper or klein", "paper")
    .option("--set <key=value...>", "replace values of the preset, such as flow.imageSize=1024")
    .option("--quality <number>", "of the JPEGs, 1 to 100", quality, 95)
    .option("--people-per-shard <number>", "people of each shard", count, 256)
    .option("--shard <i/n>", "every n-th shard only, from the i-th on; all parts may write into one folder")
    .option("--workers <number>", "worker threads (default: one a core)", count)
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Cuts every picture once at the sizes that the preset's stages want, into WebDataset shards that training streams:
  omni-id data prepare mfhq -o prepared && omni-id train mtd --preset paper --data prepared
The folder may then lie elsewhere: --data https://… or s3://bucket/prepared. Interrupted or killed, the same command goes
on where it stopped.`,
    )
    .action(async (data, { out, preset, set, quality, peoplePerShard: perShard, shard, workers, json }) => {
      const part = shard ? parsePart(shard) : undefined;
      outFolder(out, { inputs: [data] });
      const { signal, release } = interruptible();
      const resolved = resolvePreset(preset, set);
      const onProgress = (done: number, total: number) => note(`${done} of ${total} shards`);
      const options = { data, out, preset: resolved, quality, perShard, part, workers, signal, onProgress };
      const result = await prepareStreamed(options).finally(release);
      if (!result.finished) {
        note("stopped; the same command goes on where it stopped");
        throw new Interrupted();
      }
      const { people, shards, written, sizes } = result;
      const text = `${people} people at ${sizes.join(" and ")} px in ${resolve(out)}: ${shards} shards of this part, ${written} written now`;
      print(result, { json, text });
    });
}

function quality(text: string): number {
  const value = count(text);
  if (value <= 100) return value;
  throw new InvalidArgumentError("1 to 100.");
}
