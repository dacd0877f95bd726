import { join } from "node:path";
import { Command, Option } from "@commander-js/extra-typings";
import { provenance } from "@omni-id/data";
import { setNumThreads } from "@omni-id/torch";
import { StageFolders } from "../experiments/folders.ts";
import { prepareForExperiment } from "../experiments/people.ts";
import { runQueue } from "../experiments/queue.ts";
import type { TableResult } from "../experiments/results.ts";
import { planExperiment, worthRunning } from "../experiments/stages.ts";
import { TABLES } from "../experiments/tables/index.ts";
import { writeTables } from "../experiments/write-tables.ts";
import { useDevice } from "./device.ts";
import { count, deviceOption, jsonOption } from "./options.ts";
import { outFolder } from "./out-file.ts";
import { Interrupted, interruptible, note, print } from "./output.ts";
import { figure10Command } from "./reproduce-figure10.ts";
import { beginExperiment, EXPERIMENTS, measuredIn, RESULTS, readExperiment } from "./reproduce-folder.ts";
import { reportCommand } from "./reproduce-report.ts";
import { settingsOf, smokeData } from "./reproduce-settings.ts";
import { prepareTogether, startStage } from "./reproduce-stage.ts";
import { statusCommand } from "./reproduce-status.ts";

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
    .option("--out <folder>", "a folder for every stage; the same command goes on in it", EXPERIMENTS)
    .option("--results <folder>", "where the tables' JSON goes", RESULTS)
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
      beginExperiment(out, { commit, settings, atOnce: options.atOnce, results }, options.otherCommit);
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
(packages/omni-id/src/experiments/tables/). A stage that two arms share is trained once. Stages of the first seed come
first, so that there is a whole table at every time. Killed anywhere, the same command goes on. Measurements are kept beside
the tables: what was measured is not trained again, also where the folder of the stages is gone.

What an arm wants that is not there leaves it out, with the reason: --web, --clip (omni-id train clip), klein's files.

Examples:
  omni-id reproduce table2 --arms full no-mtd --seeds 1      a pilot: can the measure tell them apart?
  omni-id reproduce all
  omni-id reproduce all --device cuda --at-once 14 --until 9
  omni-id reproduce status
  omni-id reproduce report`;

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

function describeTable({ title, arms, hypotheses }: TableResult): string[] {
  const figure = (value: { mean: number; ci: [number, number] } | undefined) =>
    value ? `${value.mean.toFixed(4)} [${value.ci.map((one) => one.toFixed(4)).join(", ")}]` : "–";
  return [
    title,
    ...Object.entries(arms).map(
      ([name, arm]) =>
        `  ${name.padEnd(15)} ${figure(arm.idSimilarity[1])} / ${figure(arm.idSimilarity[3])} · paper ${arm.paper.idSimilarity[1] ?? "–"} / ${arm.paper.idSimilarity[3] ?? "–"} · ${arm.seeds.length} seeds`,
    ),
    ...hypotheses.map(({ claim, answer, by }) => `  ${answer.padEnd(10)} ${claim} — ${by}`),
  ];
}
