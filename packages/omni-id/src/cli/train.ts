import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { preferredPrecision, setNumThreads } from "@omni-id/torch";
import { resolvePreset } from "../presets/index.ts";
import type { Optimisation, Preset } from "../presets/schema.ts";
import { openBaseStage } from "../train/base-stage.ts";
import { openControlStage } from "../train/control-stage.ts";
import { type ExportNote, exportControl, exportFirstStage, exportFlow, exportFlowBase } from "../train/export.ts";
import { openFirstStage } from "../train/first-stage.ts";
import { openFlowStage } from "../train/flow-stage.ts";
import { train } from "../train/loop.ts";
import type { OpenStageOptions } from "../train/open-people.ts";
import { RunLog } from "../train/run-log.ts";
import type { Stage } from "../train/stage.ts";
import { interruptible, whole } from "./output.ts";

export function trainCommand() {
  return new Command("train")
    .description("train a stage; resumable, bit for bit")
    .addCommand(
      stageCommand("mtd", {
        about: "stage one: encoder and masked transformer decoder, few-to-many (sections 3.1–3.3)",
        optimisation: (preset) => preset.mtd.optimisation,
        open: async (options) => {
          const first = await openFirstStage(options);
          return { stage: first.stage, save: (folder, note) => exportFirstStage(folder, first, note) };
        },
        help:
          "Watch the identity gap: the loss with another person's identity over the loss with the right one, minus 1.\n" +
          "It says whether the identity is used at all.",
      }),
    )
    .addCommand(
      stageCommand("base", {
        about: "the nano flow model, from nothing; the paper preset takes FLUX.1-dev instead",
        optimisation: (preset) => preset.flow.base.optimisation,
        open: async (options) => {
          const base = await openBaseStage(options);
          return { stage: base.stage, save: (folder, note) => exportFlowBase(folder, base.model, note) };
        },
        help: "Held-out figures are the flow loss at four times, by the fixed prompt and by captions.",
      }),
    )
    .addCommand(
      stageCommand("flow", {
        about: "stage two: IP-Adapter on the frozen flow base, the encoder trained along (section 3.3)",
        needs: { encoder: "folder of stage one's weights", base: "folder of the flow base's weights" },
        optimisation: (preset) => preset.flow.adapter.optimisation,
        open: async (options) => {
          const flow = await openFlowStage(options);
          return { stage: flow.stage, save: (folder, note) => exportFlow(folder, flow, note) };
        },
        help:
          "gap and gap_none: how much worse the flow loss gets with another person's identity, and with none.\n" +
          "They prove that the identity is used.",
      }),
    )
    .addCommand(
      stageCommand("control", {
        about: "ControlNet on landmark pictures, on the frozen flow base (section 4.2)",
        needs: { flow: "folder of stage two's weights", base: "folder of the flow base's weights" },
        optimisation: (preset) => preset.flow.control.optimisation,
        open: async (options) => {
          const control = await openControlStage(options);
          return { stage: control.stage, save: (folder, note) => exportControl(folder, control, note) };
        },
        help: "gap: how much worse the flow loss gets with somebody else's landmarks.",
      }),
    );
}

interface OpenedStage<Batch> {
  stage: Stage<Batch>;
  /** Writes the trained weights; returns what to tell of them. */
  save: (folder: string, note: ExportNote) => Promise<string>;
}

interface StageCommand<Batch, Need extends string> {
  about: string;
  help: string;
  /** Folders of weights that the stage builds on, each an option of its own. */
  needs?: Readonly<Record<Need, string>>;
  optimisation: (preset: Preset) => Optimisation;
  open: (options: OpenStageOptions & Record<Need, string>) => Promise<OpenedStage<Batch>>;
}

function stageCommand<Batch, Need extends string = never>(
  name: string,
  { about, help, needs, optimisation, open }: StageCommand<Batch, Need>,
) {
  const command = new Command(name);
  const folders = Object.entries<string>(needs ?? {});
  for (const [need, told] of folders) command.requiredOption(`--${need} <folder>`, told);
  return command
    .description(about)
    .requiredOption("--data <folder>", "WebDataset shards, such as those of: omni-id data synth -o data/synth")
    .requiredOption("--out <folder>", "checkpoints, logs, pictures, and at the end the weights")
    .option("--preset <name>", "nano or paper", "nano")
    .option("--set <key=value...>", "replace values of the preset, such as mtd.optimisation.steps=300")
    .option("--resume [checkpoint]", "go on from the newest checkpoint of --out, or from this one")
    .option("--seed <number>", "seed of batches, masks and noise", whole, 0)
    .option("--precision <name>", "bfloat16 or float32 (default: what the processor is fast in)")
    .option("--threads <number>", "processor threads", whole)
    .option("--cache <folder>", "prepared crops and feature maps", "data/cache")
    .option("--log-every <steps>", "steps between log lines", whole, 25)
    .option("--save-every <steps>", "steps between checkpoints", whole, 250)
    .option("--keep-every <steps>", "keep a checkpoint of its own every so many steps", whole, 0)
    .option("--held-out-every <steps>", "steps between reports and pictures of validation people", whole, 500)
    .addHelpText(
      "after",
      `\n${help}\nCurves: tensorboard --logdir OUT/tensorboard\n` +
        "Ctrl-C saves a checkpoint; the same command with --resume goes on.",
    )
    .action(async (options) => {
      const { out, seed } = options;
      const preset = resolvePreset(options.preset, options.set);
      const precision = options.precision ?? preferredPrecision();
      if (precision !== "bfloat16" && precision !== "float32") {
        throw new Error(`--precision ${precision}: choose bfloat16 or float32`);
      }
      if (options.threads) setNumThreads(options.threads);
      const log = new RunLog(out);
      log.note(`stage ${name}, preset ${preset.name}, ${precision}, seed ${seed}`);
      const { data, cache } = options;
      const given = options as unknown as Record<Need, string>;
      const weights = Object.fromEntries(folders.map(([need]) => [need, given[need as Need]])) as Record<Need, string>;
      const { stage, save } = await open({ data, cache, preset, seed, note: (text) => log.note(text), ...weights });
      const { signal, release } = interruptible();
      const result = await train(stage, {
        out,
        seed,
        preset,
        optimisation: optimisation(preset),
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
      const folder = join(out, "weights");
      const told = await save(folder, { stage: name, preset, step: result.step, seed, precision });
      log.note(`weights (moving average) in ${folder}, ${told}`);
    });
}
