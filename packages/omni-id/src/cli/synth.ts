import { resolve } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { HELD_OUT_WORDS, NANO_RECIPE, readHeldOut, SCENE_RECIPE, writeSyntheticShards } from "@omni-id/data";
import { count, jsonOption, whole } from "./options.ts";
import { outFolder } from "./out-file.ts";
import { Interrupted, interruptible, note, print, progress } from "./output.ts";

export function synthCommand() {
  return new Command("synth")
    .option("-o, --out <folder>", "folder of the shards", "data/synth")
    .option("--identities <number>", "people", count, NANO_RECIPE.identities)
    .option(
      "--images <number>",
      "pictures of each; training and evaluation want 8 (default: 8; 4 with --scenes)",
      count,
    )
    .option(
      "--scenes [number]",
      "also scenes of each that a sentence tells of (6 unless said; --images are then 4)",
      count,
    )
    .option("--held-out <file>", "combinations of words that no scene has, a JSON list (default: our own six)")
    .option("--held-out-only", "scenes have held-out combinations, to measure what is new to a model")
    .option("--size <pixels>", "side of a picture (default: 96; 128 with --scenes)", count)
    .option("--seed <number>", "other people for another seed", whole, NANO_RECIPE.seed)
    .addOption(
      new Option(
        "--noise <kind>",
        "web: as recognition sets have them: few pixels, other cameras, years between pictures, some wrong names",
      ).choices(["web"] as const),
    )
    .option("--workers <number>", "worker threads (default: one a core)", count)
    .addOption(jsonOption())
    .addHelpText("after", "\nThe same seed gives the same bytes, whatever the number of workers and of interruptions.")
    .action(async ({ json, out, identities, scenes: wanted, heldOut: rules, heldOutOnly, ...options }) => {
      const scenes = wanted === true ? SCENE_RECIPE.scenes : wanted;
      if (!scenes && (rules || heldOutOnly)) throw new Error("--held-out is about scenes: give --scenes too");
      if (scenes && options.noise) throw new Error("--noise is of sets without scenes: leave one of them out");
      const usual = scenes ? SCENE_RECIPE : NANO_RECIPE;
      const { images = usual.images, size = usual.size } = options;
      const heldOut = rules ? readHeldOut(rules) : HELD_OUT_WORDS;
      outFolder(out);
      const { signal, release } = interruptible();
      const bar = progress("people");
      const recipe = {
        identities,
        images,
        size,
        seed: options.seed,
        noise: options.noise,
        scenes,
        heldOut,
        heldOutOnly,
      };
      const done = await writeSyntheticShards({
        ...recipe,
        workers: options.workers,
        out,
        onProgress: bar.update,
        signal,
      });
      bar.stop();
      release();
      if (done < identities) {
        note(`stopped at ${done} of ${identities} people; the same command goes on`);
        throw new Interrupted();
      }
      print(
        { folder: out, identities, images, ...(scenes ? { scenes } : {}) },
        {
          json,
          text: `${done} people × ${images} pictures${scenes ? ` and ${scenes} scenes` : ""} in ${resolve(out)}`,
        },
      );
    });
}
