import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { preferredPrecision, setNumThreads } from "@omni-id/torch";
import { resolvePreset } from "../presets/index.ts";
import { exportFirstStage } from "../train/export.ts";
import { openFirstStage } from "../train/first-stage.ts";
import { train } from "../train/loop.ts";
import { RunLog } from "../train/run-log.ts";
import { interruptible, whole } from "./output.ts";

export function trainCommand() {
  return new Command("train").description("train a stage; resumable, bit for bit").addCommand(mtdCommand());
}

function mtdCommand() {
  return new Command("mtd")
    .description("stage one: encoder and masked transformer decoder, few-to-many (sections 3.1–3.3)")
    .requiredOption("--data <folder>", "WebDataset shards, such as those of: omni-id data synth -o data/synth")
    .requiredOption("--out <folder>", "checkpoints, logs, pictures, and at the end the weights")
    .option("--preset <name>", "nano or paper", "nano")
    .option("--set <key=value...>", "replace values of the preset, such as mtd.optimisation.steps=300")
    .option("--resume [checkpoint]", "go on from the newest checkpoint of --out, or from this one")
    .option("--seed <number>", "seed of batches and masks", whole, 0)
    .option("--precision <name>", "bfloat16 or float32 (default: what the processor is fast in)")
    .option("--threads <number>", "processor threads", whole)
    .option("--cache <folder>", "prepared crops and feature maps", "data/cache")
    .option("--log-every <steps>", "steps between log lines", whole, 25)
    .option("--save-every <steps>", "steps between checkpoints", whole, 250)
    .option("--keep-every <steps>", "keep a checkpoint of its own every so many steps", whole, 0)
    .option("--held-out-every <steps>", "steps between reports and pictures of validation people", whole, 500)
    .addHelpText(
      "after",
      "\nWatch the identity gap: the loss with another person's identity over the loss with the right one, minus 1.\n" +
        "It says whether the identity is used at all. Curves: tensorboard --logdir OUT/tensorboard\n" +
        "Ctrl-C saves a checkpoint; the same command with --resume goes on.",
    )
    .action(async (options) => {
      const preset = resolvePreset(options.preset, options.set);
      const precision = options.precision ?? preferredPrecision();
      if (precision !== "bfloat16" && precision !== "float32") {
        throw new Error(`--precision ${precision}: choose bfloat16 or float32`);
      }
      if (options.threads) setNumThreads(options.threads);
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
      if (result.interrupted) return;
      const folder = join(options.out, "weights");
      const hash = await exportFirstStage(folder, first, { preset, step: result.step, seed: options.seed, precision });
      log.note(`weights (moving average) in ${folder}, encoder ${hash.slice(0, 12)}`);
    });
}
