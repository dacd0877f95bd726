import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { manualSeed, preferredPrecision, setExactness, setNumThreads } from "@omni-id/torch";
import { setProcessEnvironment } from "@omni-id/torch/environment";
import { InvalidArgumentError } from "commander";
import type { StreamOptions } from "../people/streamed-pictures.ts";
import { presetValue, resolvePreset } from "../presets/index.ts";
import type { Optimisation, Preset } from "../presets/schema.ts";
import type { ExportNote } from "../train/export.ts";
import { type Intervals, train } from "../train/loop.ts";
import { RunLog, SILENT_LOG } from "../train/run-log.ts";
import type { Stage } from "../train/stage.ts";
import type { OpenStageOptions } from "../train/stage-people.ts";
import type { Precision } from "../train/step.ts";
import { SOLO, type Team } from "../train/team.ts";
import { useDevice } from "./device.ts";
import { count, deviceOption, jsonOption, whole } from "./options.ts";
import { outFolder } from "./out-file.ts";
import { Interrupted, interruptible, print, UsageError } from "./output.ts";
import {
  isOneOfSeveral,
  openTeam,
  ownDevice,
  ownPlace,
  type ProcessesChosen,
  processesOptions,
  runProcesses,
} from "./processes.ts";

/** A stage that is ready to be trained. */
export interface OpenedStage<Batch> {
  stage: Stage<Batch>;
  /** Writes the trained weights; returns what to tell of them. */
  save: (folder: string, note: ExportNote) => Promise<string>;
}

/** What the command line knows of a stage. */
export interface StageEntry<Batch, Need extends string = string> {
  name: string;
  about: string;
  help: string;
  /** Folders of weights that the stage builds on, each an option of its own. */
  needs: Readonly<Record<Need, { about: string; default?: string }>>;
  optimisation: (preset: Preset) => Optimisation;
  /** Preset and folder of shards where nothing else is said; those of {@link withTrainingOptions} when absent. */
  preset?: string;
  data?: string;
  /** The preset's key of the batch of a step, of all processes together. */
  batch: string;
  open: (options: OpenStageOptions, weights: Partial<Record<Need, string>>) => Promise<OpenedStage<Batch>>;
}

export interface StageRun {
  data: readonly string[];
  weight?: readonly number[];
  cache: string;
  /** How prepared sets are streamed. */
  stream?: StreamOptions;
  out: string;
  preset: Preset;
  seed: number;
  precision: Precision;
  /** Rows of a step's batch that a device computes at once; all of its share when left out. */
  perDevice?: number;
  resume?: string | true;
  every: Intervals;
  /** Folders of the weights that the stage builds on. */
  weights: Readonly<Record<string, string | undefined>>;
  /** The command that started this one; model cards name it. */
  partOf?: string;
  /** The processes that train together; alone when left out. */
  team?: Team;
}

/** Trains a stage to its end and writes its weights. @throws Interrupted when Ctrl-C ended it; the checkpoint is saved */
export async function runStage<Batch>(
  entry: StageEntry<Batch>,
  run: StageRun,
): Promise<{ folder: string; steps: number; told: string }> {
  const {
    data,
    weight,
    cache,
    stream,
    out,
    preset,
    seed,
    precision,
    resume,
    every,
    weights,
    partOf,
    team = SOLO,
  } = run;
  const pieces = piecesOf(entry, run);
  const inputs = [...data, cache, ...Object.values(weights).filter((folder) => folder !== undefined)];
  outFolder(out, { inputs });
  const told = new RunLog(out);
  const log = team.leads ? told : SILENT_LOG;
  const together = team.share.count > 1 ? `, ${team.share.count} processes` : "";
  const apart = pieces > 1 ? `, a step in ${pieces} pieces` : "";
  log.note(`stage ${entry.name}, preset ${preset.name}, ${precision}, seed ${seed}${together}${apart}`);
  manualSeed(seed); // of the first weights: left alone, LibTorch draws a seed of its own for each process
  const open = () => entry.open({ data, weight, cache, stream, preset, seed, note: (text) => log.note(text) }, weights);
  // What is prepared once for all is prepared by one.
  const first = team.leads ? await open() : undefined;
  await team.meet("the people are prepared");
  const opened = first ?? (await open());
  const { signal, release } = interruptible();
  const optimisation = entry.optimisation(preset);
  const settings = { out, seed, preset, optimisation, precision, log, resume, every, signal, team, pieces };
  const result = await train(opened.stage, settings).finally(release);
  if (result.interrupted) throw new Interrupted();
  const folder = join(out, "weights");
  const note = {
    stage: entry.name,
    data,
    preset,
    step: result.step,
    seed,
    precision,
    seconds: told.totalSeconds(),
    partOf,
  };
  const saved = team.leads ? await opened.save(outFolder(folder), note) : "";
  await team.meet("the weights are written");
  return { folder, steps: result.step, told: saved };
}

/** Into how many pieces a process divides its share of a step. @throws UsageError when they would not be alike */
function piecesOf({ batch: key }: { batch: string }, { preset, perDevice, team = SOLO }: StageRun): number {
  if (perDevice === undefined) return 1;
  const batch = presetValue(preset, key) as number;
  const { count } = team.share;
  if (batch % (count * perDevice) === 0) return batch / count / perDevice;
  throw new UsageError(
    `--batch-per-device ${perDevice}: ${count} devices of so many each do not divide a batch of ${batch} evenly; choose another, or another --batch`,
  );
}

/** `omni-id train <stage>`. */
export function stageCommand<Batch>(entry: StageEntry<Batch>): Command {
  const { name, about, help, needs } = entry;
  const command = withTrainingOptions(new Command(name).description(about), entry)
    .option("--out <folder>", "checkpoints, logs, pictures, and at the end the weights", `runs/${name}`)
    .option(
      "--batch <number>",
      `batch of a step, of all devices together (default: the preset's ${entry.batch})`,
      count,
    )
    .option(
      "--batch-per-device <number>",
      "of that, how much a device computes at once; the rest follows in pieces",
      count,
    )
    .option("--resume [checkpoint]", "go on from the newest checkpoint of --out, or from this one")
    .addOption(new Option("--part-of <command>").hideHelp())
    .addHelpText(
      "after",
      `\n${help}\nCurves: tensorboard --logdir OUT/tensorboard\n${AFTER}\n\nExamples:${examples(entry)}`,
    );
  for (const option of processesOptions()) command.addOption(option);
  for (const [need, option] of Object.entries(needs)) {
    command.option(`--${need} <folder>`, option.about, option.default);
  }
  command.action(async (given) => {
    const batch = given.batch === undefined ? [] : [`${entry.batch}=${given.batch}`];
    const options = { ...given, set: [...(given.set ?? []), ...batch] };
    const shared = options as unknown as ProcessesChosen;
    if (shared.processes !== undefined && shared.processes > 1 && !isOneOfSeveral()) {
      presetOf(options); // a wrong command line is told once
      await runProcesses({ ...shared, processes: shared.processes, threads: options.threads });
      return;
    }
    const { data, weight, cache, out, seed, resume, json, partOf, batchPerDevice: perDevice, ...rest } = options;
    const folders = rest as unknown as Readonly<Record<string, string | undefined>>;
    const weights = Object.fromEntries(Object.keys(needs).map((need) => [need, folders[need]]));
    const { preset, precision, every } = settingsOf(options);
    const { team, close } = await openTeam({ ...shared, device: options.device });
    const { folder, steps, told } = await runStage(entry, {
      data,
      weight,
      cache,
      stream: streamOf(options),
      out,
      preset,
      seed,
      precision,
      perDevice,
      resume,
      every,
      weights,
      partOf,
      team,
    });
    await close();
    if (!team.leads) return;
    print({ weights: folder, steps, told }, { json, text: `weights (moving average) in ${folder}: ${told}` });
  });
  return command as unknown as Command;
}

/** Threads by the cores, shared with the other processes of this machine. */
function streamOf({ workers, keepShards }: { workers?: number; keepShards: number }): StreamOptions {
  const { localRank: rank, localCount: count } = ownPlace();
  const own = Math.floor(availableParallelism() / count);
  return { workers: workers ?? Math.max(2, Math.min(8, own)), keep: keepShards * 1e9, keeps: { rank, count } };
}

const AFTER = "Ctrl-C saves a checkpoint; the same command with --resume goes on, and so does it after a crash.";

function examples({ name, batch }: Pick<StageEntry<unknown>, "name" | "batch">): string {
  const key = batch.replace(/\.batch$/, "");
  return [
    "",
    `omni-id train ${name}`,
    `omni-id train ${name} --set ${key}.optimisation.steps=300 --out runs/short`,
    `omni-id train ${name} --resume`,
  ].join("\n  ");
}

/** Options of every training. */
export function withTrainingOptions(
  command: Command,
  { preset = "nano", data = "data/synth" }: { preset?: string; data?: string } = {},
) {
  return command
    .option(
      "--data <folders...>",
      "WebDataset shards, such as those of: omni-id data synth, or sets of: omni-id data prepare, which may lie at https:// or s3://; several are mixed",
      [data],
    )
    .option(
      "--weight <numbers...>",
      "how often each folder of --data is drawn from, such as 3 1 (default: by its people)",
      weights,
    )
    .option("--preset <name>", "nano, nano-paper (nano in the paper's own form), nano-scenes, paper or klein", preset)
    .option("--set <key=value...>", "replace values of the preset, such as mtd.optimisation.steps=300")
    .option("--seed <number>", "seed of the first weights, of batches, masks and noise", whole, 0)
    .addOption(
      new Option(
        "--precision <name>",
        "default: bfloat16 where the machine is fast in it, else float32; float16 is for cards without bfloat16",
      ).choices(["bfloat16", "float16", "float32"] as const),
    )
    .option("--deterministic", "the same bits from every run on a GPU, some operators slower (a CPU gives them anyway)")
    .option("--threads <number>", "processor threads (default: one a core)", count)
    .option("--cache <folder>", "prepared crops and feature maps, and what is streamed from elsewhere", "data/cache")
    .option(
      "--workers <number>",
      "threads that read and decode streamed pictures (default: 2 to 8, by the cores)",
      count,
    )
    .option("--keep-shards <gigabytes>", "disk that streamed shards from elsewhere may take here", whole, 100)
    .option("--log-every <steps>", "steps between log lines", count, 25)
    .option("--save-every <steps>", "steps between checkpoints (default: the preset's every.save)", count)
    .option("--keep-every <steps>", "keep a checkpoint of its own every so many steps; 0: none", whole)
    .option(
      "--held-out-every <steps>",
      "steps between reports and pictures of validation people; 0: none (default: the preset's every.heldOut)",
      whole,
    )
    .addOption(deviceOption())
    .addOption(jsonOption());
}

/** Collects numbers above 0. */
function weights(text: string, before: readonly number[] = []): number[] {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError(`"${text}" is no number above 0.`);
  return [...before, value];
}

interface TrainingOptions {
  preset: string;
  set?: string[];
  device: string;
  precision?: Precision;
  deterministic?: boolean;
  threads?: number;
  logEvery: number;
  saveEvery?: number;
  keepEvery?: number;
  heldOutEvery?: number;
}

/** Puts device and threads in place, and resolves the preset. @throws UsageError when the preset or a key is unknown */
export function settingsOf(options: TrainingOptions): Pick<StageRun, "preset" | "precision" | "every"> {
  const preset = presetOf(options);
  if (options.precision === "float16" && options.device === "cpu") {
    throw new UsageError("--precision float16 is for a GPU; on the CPU choose bfloat16 or float32");
  }
  if (options.deterministic) {
    // Read when the first product is computed.
    setProcessEnvironment("CUBLAS_WORKSPACE_CONFIG", ":4096:8");
    setExactness({ deterministic: true });
  }
  useDevice(ownDevice(options.device));
  if (options.threads) setNumThreads(options.threads);
  const { save, keep, heldOut } = preset.every;
  const { logEvery: log, saveEvery = save, keepEvery = keep, heldOutEvery = heldOut } = options;
  const every = { log, save: saveEvery, keep: keepEvery, heldOut: heldOutEvery };
  return { preset, precision: options.precision ?? preferredPrecision(), every };
}

function presetOf({ preset, set }: TrainingOptions): Preset {
  try {
    return resolvePreset(preset, set);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
