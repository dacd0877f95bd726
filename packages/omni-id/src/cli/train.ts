import { join } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { preferredPrecision, setNumThreads } from "@omni-id/torch";
import { resolvePreset } from "../presets/index.ts";
import type { Preset } from "../presets/schema.ts";
import { exportFirstStage } from "../train/export.ts";
import { openFirstStage } from "../train/first-stage.ts";
import { train } from "../train/loop.ts";
import { RunLog } from "../train/run-log.ts";
import { useDevice } from "./device.ts";
import { count, deviceOption, jsonOption, whole } from "./options.ts";
import { Interrupted, interruptible, outFolder, print, UsageError } from "./output.ts";

export function trainCommand() {
  return new Command("train").addCommand(mtdCommand());
}

function mtdCommand() {
  return new Command("mtd")
    .description("stage one: encoder and masked transformer decoder, few-to-many (sections 3.1–3.3)")
    .option("--data <folder>", "WebDataset shards, such as those of: omni-id data synth", "data/synth")
    .option("--out <folder>", "checkpoints, logs, pictures, and at the end the weights", "runs/mtd")
    .option("--preset <name>", "nano or paper", "nano")
    .option("--set <key=value...>", "replace values of the preset, such as mtd.optimisation.steps=300")
    .option("--resume [checkpoint]", "go on from the newest checkpoint of --out, or from this one")
    .option("--seed <number>", "seed of the first weights, of batches and masks", whole, 0)
    .addOption(
      new Option("--precision <name>", "default: bfloat16 where the machine is fast in it, else float32").choices([
        "bfloat16",
        "float32",
      ] as const),
    )
    .option("--threads <number>", "processor threads (default: one a core)", count)
    .option("--cache <folder>", "prepared crops and feature maps", "data/cache")
    .option("--log-every <steps>", "steps between log lines", count, 25)
    .option("--save-every <steps>", "steps between checkpoints", count, 250)
    .option("--keep-every <steps>", "keep a checkpoint of its own every so many steps; 0: none", whole, 0)
    .option("--held-out-every <steps>", "steps between reports and pictures of validation people", count, 500)
    .addOption(deviceOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      `
Watch the identity gap: the loss with another person's identity over the loss with the right one, minus 1.
It says whether the identity is used at all. Curves: tensorboard --logdir OUT/tensorboard
Ctrl-C saves a checkpoint; the same command with --resume goes on, and so does it after a crash.

Examples:
  omni-id train mtd
  omni-id train mtd --set mtd.optimisation.steps=300 --out runs/short
  omni-id train mtd --resume`,
    )
    .action(async (options) => {
      const preset = presetOf(options);
      useDevice(options.device);
      const precision = options.precision ?? preferredPrecision();
      if (options.threads) setNumThreads(options.threads);
      outFolder(options.out);
      const log = new RunLog(options.out);
      log.note(`stage mtd, preset ${preset.name}, ${precision}, seed ${options.seed}`);
      const first = await openFirstStage({
        data: options.data,
        cache: options.cache,
        preset,
        seed: options.seed,
        note: (text) => log.note(text),
      });
      const { signal, release } = interruptible();
      const result = await train(first.stage, {
        out: options.out,
        seed: options.seed,
        preset,
        optimisation: preset.mtd.optimisation,
        precision,
        log,
        resume: options.resume,
        every: {
          log: options.logEvery,
          save: options.saveEvery,
          keep: options.keepEvery,
          heldOut: options.heldOutEvery,
        },
        signal,
      });
      release();
      if (result.interrupted) throw new Interrupted();
      const folder = join(options.out, "weights");
      const hash = await exportFirstStage(folder, first, {
        data: options.data,
        preset,
        step: result.step,
        seed: options.seed,
        precision,
        seconds: log.totalSeconds(),
      });
      const text = `weights (moving average) in ${folder}, encoder ${hash.slice(0, 12)}`;
      print({ weights: folder, steps: result.step, encoder: hash }, { json: options.json, text });
    });
}

function presetOf({ preset, set }: { preset: string; set?: string[] }): Preset {
  try {
    return resolvePreset(preset, set);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
