import { Command } from "@commander-js/extra-typings";
import { StageFolders } from "../experiments/folders.ts";
import { planExperiment, worthRunning } from "../experiments/stages.ts";
import { experimentStatus } from "../experiments/status.ts";
import { jsonOption } from "./options.ts";
import { print } from "./output.ts";
import { EXPERIMENTS, measuredIn, readExperiment } from "./reproduce-folder.ts";

/** `omni-id reproduce status`: how far an experiment is. */
export function statusCommand() {
  return new Command("status")
    .description("what is done, running and left, and how long it will take")
    .option("--out <folder>", "the experiment's folder", EXPERIMENTS)
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

const hours = (value: number) => (value < 1.5 ? `${Math.ceil(value * 60)} minutes` : `${value.toFixed(1)} hours`);
