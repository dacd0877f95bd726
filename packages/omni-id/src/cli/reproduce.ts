import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { provenance, ShardSet, writeSyntheticShards } from "@omni-id/data";
import { preferredPrecision, setNumThreads, writeAtomically } from "@omni-id/torch";
import { TABLES } from "../experiments/arms.ts";
import { StageFolders } from "../experiments/folders.ts";
import { prepareForExperiment } from "../experiments/people.ts";
import { runQueue } from "../experiments/queue.ts";
import type { TableResult } from "../experiments/results.ts";
import { type ExperimentSettings, planExperiment, worthRunning } from "../experiments/stages.ts";
import { experimentStatus } from "../experiments/status.ts";
import { writeTables } from "../experiments/write-tables.ts";
import { NANO_CLIP } from "../presets/nano-clip.ts";
import { nearest } from "../presets/nearest.ts";
import { CLIP_FILE, hasClip } from "../weights/clip.ts";
import { readWeightsNote } from "../weights/file.ts";
import { CONTROL_FILE, FLUX_FILE } from "../weights/flow.ts";
import { ENCODER_FILE, shippedWeights } from "../weights/folder.ts";
import { useDevice } from "./device.ts";
import { kleinHere } from "./klein-here.ts";
import { count, deviceOption, jsonOption } from "./options.ts";
import { outFolder } from "./out-file.ts";
import { Interrupted, interruptible, note, print, UsageError } from "./output.ts";
import { figure10Command } from "./reproduce-figure10.ts";
import { reportCommand } from "./reproduce-report.ts";
import { prepareTogether, startStage } from "./reproduce-stage.ts";

const OUT = join("runs", "experiments");

/** What an experiment's folder tells of it. */
interface ExperimentFile {
  commit: string;
  settings: ExperimentSettings;
  atOnce: number;
  /** Where the tables go, and what was measured. */
  results?: string;
}

/** Small enough for a test: what it measures is noise. */
const SMOKE = {
  identities: 10,
  set: ["mtd.batch=2", "flow.adapter.batch=2", "mtd.targets=2", "flow.adapter.targets=2"],
  steps: { mtd: 2, flow: 2, downstream: 1 },
  drawing: 2,
};

export function reproduceCommand() {
  return new Command("reproduce")
    .description("run the paper's tables again at nano scale: every arm, every seed, resumable")
    .argument("[tables...]", `${Object.keys(TABLES).join(", ")} or all`, ["all"])
    .option("--data <folder>", "shards of: omni-id data synth", "data/synth")
    .option("--web <folder>", "shards of: omni-id data synth --noise web, for the arm that is trained on such")
    .option(
      "--clip <folder>",
      "the small CLIP, for the arms that stand on it (default: runs/clip/weights, where it is)",
    )
    .option("--cache <folder>", "prepared crops and feature maps", "data/cache")
    .option("--base <folder>", "flow base and ControlNet, the same for every arm (default: the shipped ones)")
    .option("--out <folder>", "a folder for every stage; the same command goes on in it", OUT)
    .option("--results <folder>", "where the tables' JSON goes", join("results", "experiments"))
    .option("--arms <names...>", "these arms alone, such as full no-mtd for a pilot")
    .option(
      "--references <pixels>",
      "side of the pictures of table 1's arm of FLUX.2 [klein]'s own references, where its files are (default: 512 on a GPU; on a processor only where said)",
      count,
    )
    .option("--seeds <number>", "seeds of every arm", count, 3)
    .option("--steps-mtd <number>", "steps of stage one, for all arms alike", count, 1000)
    .option("--steps-flow <number>", "steps of stage two", count, 800)
    .option(
      "--steps-downstream <number>",
      "steps of the generator that is trained on the frozen representation",
      count,
      400,
    )
    .option("--set <key=value...>", "replace values of every arm's preset, such as mtd.batch=8")
    .option("--guidance <scale>", "of the pictures that are judged (default: the preset's)", Number)
    .option("--at-once <number>", "stages that run beside each other", count, 2)
    .option("--threads <number>", "processor threads of each stage", count, 1)
    .addOption(
      new Option("--precision <name>", "default: bfloat16 where the machine is fast in it, else float32").choices([
        "bfloat16",
        "float32",
      ] as const),
    )
    .option("--until <minutes>", "then start nothing new, let trainings save and stop, and write what is there", Number)
    .option("--other-commit", "go on in a folder that another commit of this program has begun")
    .option("--smoke", "minutes, tiny, on people of its own: tries the machinery, its numbers mean nothing")
    .addOption(deviceOption())
    .addOption(jsonOption())
    .addHelpText("after", HELP)
    .action(async (tables, options) => {
      const from = performance.now();
      useDevice(options.device);
      const out = outFolder(options.out, { inputs: [options.data, options.cache] });
      const results = outFolder(options.results);
      const cache = options.smoke ? join(out, "cache") : options.cache;
      const settings = await settingsOf(tables, {
        ...options,
        data: options.smoke ? await smokeData(out) : options.data,
      });
      const experiment = planExperiment(settings);
      const folders = new StageFolders(out, measuredIn(results));
      const { commit } = provenance(0);
      begin(out, { commit, settings, atOnce: options.atOnce, results }, options.otherCommit);
      for (const { table, arm, why } of experiment.leftOut) note(`${table}, ${arm}: left out: ${why}`);

      const { signal, release } = interruptible();
      const write = () => {
        for (const { evaluate } of experiment.runs) folders.keep(evaluate);
        return writeTables(results, { experiment, settings, folders });
      };
      const how = { folders, cache, threads: options.threads, settings };
      const stages = worthRunning(experiment.stages, (stage) => folders.isDone(stage));
      const open = stages.filter((stage) => !folders.isDone(stage));
      note(`${stages.length} stages, ${open.length} of them to be done, ${options.atOnce} at a time`);
      if (open.length > 0) {
        if (options.atOnce > 2) await prepareTogether(out, cache, options.atOnce);
        await prepareForExperiment({ settings, cache, note });
      }
      const ended = await runQueue({
        stages,
        folders,
        atOnce: options.atOnce,
        start: (stage) => startStage(stage, how),
        onDone: ({ kind }) => {
          if (kind === "evaluate") write();
        },
        note,
        signal,
        until: options.until === undefined ? undefined : from + options.until * 60_000,
      }).finally(release);
      const written = write();
      if (signal.aborted) throw new Interrupted();
      const failed = ended.failed.map(({ stage, why }) => `${stage.label}: ${why}`);
      const text = [
        ...written.flatMap(describeTable),
        ended.left.length > 0 ? `${ended.left.length} stages are left; the same command goes on` : "",
        ...settings.tables.map((name) => join(options.results, `${name}.json`)),
      ];
      print(
        { tables: written, left: ended.left.length, failed },
        { json: options.json, text: text.filter(Boolean).join("\n") },
      );
      if (failed.length > 0) {
        throw new Error(
          `${failed.length} stages failed; all else was done, and the same command tries them again:\n${failed.join("\n")}`,
        );
      }
    })
    .addCommand(statusCommand())
    .addCommand(figure10Command())
    .addCommand(reportCommand())
    .addCommand(prepareCommand(), { hidden: true });
}

const HELP = `
Every arm starts from the preset nano-paper and the same frozen flow base; claims are written down before the run
(packages/omni-id/src/experiments/arms.ts). A stage that two arms share is trained once. Stages of the first seed come
first, so that there is a whole table at every time. Killed anywhere, the same command goes on. Measurements are kept beside
the tables: what was measured is not trained again, also where the folder of the stages is gone.

What an arm wants that is not there leaves it out, with the reason: --web, --clip (omni-id train clip), klein's files.

Examples:
  omni-id reproduce table2 --arms full no-mtd --seeds 1      a pilot: can the measure tell them apart?
  omni-id reproduce all
  omni-id reproduce all --device cuda --at-once 14 --until 9
  omni-id reproduce status
  omni-id reproduce report`;

function statusCommand() {
  return new Command("status")
    .description("what is done, running and left, and how long it will take")
    .option("--out <folder>", "the experiment's folder", OUT)
    .addOption(jsonOption())
    .action(({ out, json }, command) => {
      // The command above has an --out of its own, which takes what stands before and after.
      const folder = (command.optsWithGlobals() as { out?: string }).out ?? out;
      const known = readExperiment(folder);
      if (!known) throw new Error(`${folder}: nothing was begun here; omni-id reproduce begins`);
      const folders = new StageFolders(folder, known.results && measuredIn(known.results));
      const stages = worthRunning(planExperiment(known.settings).stages, (stage) => folders.isDone(stage));
      const status = experimentStatus(stages, folders, known.atOnce);
      const { done, running, left, hoursLeft } = status;
      const lines = [
        `${done} of ${stages.length} stages done, ${running.length} running, ${left} left`,
        ...running.map(({ label, step, steps }) => `  ${label}: step ${step} of ${steps}`),
        hoursLeft === undefined
          ? "no stage is done yet that would tell how long it takes"
          : `about ${hours(hoursLeft)} to go`,
      ];
      print(status, { json, text: lines.join("\n") });
    });
}

interface Chosen {
  arms?: string[];
  seeds: number;
  stepsMtd: number;
  stepsFlow: number;
  stepsDownstream: number;
  set?: string[];
  data: string;
  web?: string;
  base?: string;
  clip?: string;
  device: string;
  precision?: string;
  guidance?: number;
  references?: number;
  smoke?: boolean;
}

/** What is run, with everything resolved that a stage's name is a hash of. @throws for a table or arm that is not known */
async function settingsOf(tables: readonly string[], options: Chosen): Promise<ExperimentSettings> {
  const { arms, seeds, stepsMtd: mtd, stepsFlow: flow, stepsDownstream: downstream, smoke, device, guidance } = options;
  const names = tablesOf(tables, arms);
  const base = resolve(options.base ?? shippedWeights());
  if (!existsSync(join(base, CONTROL_FILE))) {
    throw new Error(`${base}: no ${CONTROL_FILE}, by which pictures get their poses: omni-id train control`);
  }
  return {
    tables: names,
    arms,
    seeds,
    steps: smoke ? SMOKE.steps : { mtd, flow, downstream },
    set: [...(smoke ? SMOKE.set : []), ...(options.set ?? [])],
    data: await describe(options.data),
    web: options.web === undefined ? undefined : await describe(options.web),
    clip: await clipHere(options.clip),
    references: kleinHere(options.references, device),
    base: await baseHere(base),
    device,
    precision: options.precision ?? preferredPrecision(),
    judging: { seed: 7, steps: smoke ? SMOKE.drawing : 12, guidance },
  };
}

/** One of several processes that prepare the people; the command above starts them. */
function prepareCommand() {
  return new Command("prepare")
    .requiredOption("--in <folder>", "the experiment's folder")
    .requiredOption("--people <folder>", "the cache")
    .requiredOption("--turn <i/n>", "which of how many")
    .action(async ({ in: out, people: cache, turn }) => {
      const known = readExperiment(out);
      if (!known) throw new Error(`${out}: nothing was begun here`);
      useDevice(known.settings.device);
      setNumThreads(1);
      const [rank, count] = turn.split("/").map(Number);
      await prepareForExperiment({ settings: known.settings, cache, turn: { rank, count }, note: () => {} });
    });
}

const hours = (value: number) => (value < 1.5 ? `${Math.ceil(value * 60)} minutes` : `${value.toFixed(1)} hours`);

/** @throws UsageError for a table or arm that is not known */
function tablesOf(tables: readonly string[], arms: readonly string[] | undefined): string[] {
  const known = Object.keys(TABLES);
  const strange = tables.find((name) => name !== "all" && !known.includes(name));
  if (strange !== undefined)
    throw new UsageError(`table "${strange}" is not known${nearest(strange, [...known, "all"])}`);
  const names = tables.includes("all") ? known : [...new Set(tables)];
  const all = [...new Set(names.flatMap((name) => Object.keys(TABLES[name].arms)))];
  const other = arms?.find((arm) => !all.includes(arm));
  if (other !== undefined)
    throw new UsageError(`arm "${other}" is not known in ${names.join(", ")}${nearest(other, all)}`);
  return names;
}

async function describe(folder: string): Promise<ExperimentSettings["data"]> {
  return { folder: resolve(folder), fingerprint: (await ShardSet.open(folder)).fingerprint };
}

/** The flow base, and the encoder beside it where there is one. */
async function baseHere(folder: string): Promise<ExperimentSettings["base"]> {
  const { hash } = await readWeightsNote(join(folder, FLUX_FILE), "base");
  const encoder = join(folder, ENCODER_FILE);
  return { folder, hash, ...(existsSync(encoder) && { encoder: (await readWeightsNote(encoder, "mtd")).hash }) };
}

/** The small CLIP where it is. @throws when it was asked for, and is not there */
async function clipHere(asked: string | undefined): Promise<ExperimentSettings["clip"]> {
  const folder = asked ?? NANO_CLIP.pretrained;
  if (asked === undefined && !hasClip(folder)) return undefined;
  return { folder: resolve(folder), hash: (await readWeightsNote(join(folder, CLIP_FILE), "clip")).hash };
}

async function smokeData(out: string): Promise<string> {
  const folder = join(out, "people");
  // Another seed than the shipped base's: it would have met some of these few.
  await writeSyntheticShards({ out: folder, identities: SMOKE.identities, images: 8, size: 96, seed: 1 });
  return folder;
}

const measuredIn = (results: string) => join(results, "figures");
const experimentFile = (out: string) => join(out, "experiment.json");

function readExperiment(out: string): ExperimentFile | undefined {
  const file = experimentFile(out);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as ExperimentFile) : undefined;
}

/** Notes what is run in a folder. @throws when another commit has begun there, whose code may have been another */
function begin(out: string, file: ExperimentFile, otherCommit = false): void {
  const before = readExperiment(out);
  if (before && before.commit !== file.commit && !otherCommit) {
    throw new UsageError(
      `${out} was begun by commit ${before.commit}, and this is ${file.commit}: what is trained there may come from other code. Go on with it all the same (--other-commit), or name another --out`,
    );
  }
  writeAtomically(experimentFile(out), `${JSON.stringify(file, null, 2)}\n`);
}

function describeTable({ title, arms, hypotheses }: TableResult): string[] {
  const figure = (value: { mean: number; ci: [number, number] } | undefined) =>
    value ? `${value.mean.toFixed(3)} [${value.ci.map((one) => one.toFixed(3)).join(", ")}]` : "–";
  return [
    title,
    ...Object.entries(arms).map(
      ([name, arm]) =>
        `  ${name.padEnd(15)} ${figure(arm.idSimilarity[1])} / ${figure(arm.idSimilarity[3])} · paper ${arm.paper.idSimilarity[1] ?? "–"} / ${arm.paper.idSimilarity[3] ?? "–"} · ${arm.seeds.length} seeds`,
    ),
    ...hypotheses.map(({ claim, answer, by }) => `  ${answer.padEnd(10)} ${claim} — ${by}`),
  ];
}
