import { resolve } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { NANO_RECIPE, writeSyntheticShards } from "@omni-id/data";
import { count, jsonOption, whole } from "./options.ts";
import { outFolder } from "./out-file.ts";
import { Interrupted, interruptible, note, print, progress } from "./output.ts";

export function synthCommand() {
  return new Command("synth")
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
