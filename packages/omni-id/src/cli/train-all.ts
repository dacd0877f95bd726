import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { provenance } from "@omni-id/data";
import { prepareAhead } from "../people/open-people.ts";
import { presetOverrides } from "../presets/index.ts";
import type { Preset } from "../presets/schema.ts";
import { stageCommandLine } from "../train/commands.ts";
import { decoderAgain } from "../train/decoder-again.ts";
import { RunLog } from "../train/run-log.ts";
import { stagePeopleOptions } from "../train/stage-people.ts";
import { loadEncoder } from "../weights/first-stage.ts";
import { ADAPTER_FILE, CONTROL_FILE, FLUX_FILE, takesPublished } from "../weights/flow.ts";
import { DECODER_FILE } from "../weights/folder.ts";
import { count } from "./options.ts";
import { outFolder } from "./out-file.ts";
import { note, print } from "./output.ts";
import { type Part, runParts } from "./parts.ts";
import { type ProcessesChosen, processesArguments, processesOptions } from "./processes.ts";
import { settingsOf, withTrainingOptions } from "./stage-command.ts";

/**
 * From shards to everything that ships: stage one, the flow base, stage two, the ControlNet, and stage one's decoder
 * once more for the encoder that stage two has changed. Each part is the command that a person would type, with a
 * folder of its own; it is skipped once its weights are there, so the same command goes on wherever it was stopped.
 */
export function trainAllCommand() {
  const command = withTrainingOptions(
    new Command("all").description("all stages, each as soon as it can; the same command goes on where it stopped"),
  );
  for (const option of processesOptions()) command.addOption(option);
  return command
    .option("--out <folder>", "a folder for each stage, and all weights together in weights/", "runs")
    .option(
      "--at-once <number>",
      "stages that run beside each other, the threads shared (default: 2, on a GPU or by several processes 1)",
      count,
    )
    .option(
      "--from <folder>",
      "start every stage from the weights of this folder, such as weights/nano, on other people",
    )
    .addHelpText(
      "after",
      "\nThen: omni-id generate --weights runs/weights …\nOn photographs of yours: omni-id train all --data people --from weights/nano",
    )
    .action(async ({ out, json, atOnce, from, ...options }) => {
      if (from !== undefined) await loadEncoder(from); // what is missing there is told before anything is trained
      const { preset, precision, every } = settingsOf(options);
      const threads = options.threads ?? availableParallelism();
      const several = options as unknown as ProcessesChosen;
      const alone = (several.processes ?? 1) === 1;
      const most = atOnce ?? (options.device === "cpu" && alone ? Math.min(2, threads) : 1);
      const common = [
        ...["--data", ...options.data, ...(options.weight ? ["--weight", ...options.weight.map(String)] : [])],
        ...["--cache", options.cache, "--preset", options.preset],
        ...["--seed", `${options.seed}`, "--precision", precision, "--device", options.device],
        ...["--threads", `${Math.max(1, Math.floor(threads / most))}`, "--log-every", `${options.logEvery}`],
        ...(options.deterministic ? ["--deterministic"] : []),
        ...processesArguments(several),
        ...["--save-every", `${every.save}`, "--keep-every", `${every.keep}`],
        ...["--held-out-every", `${every.heldOut}`, "--resume"],
        ...["--part-of", stageCommandLine({ stage: "all", preset, seed: options.seed, precision })],
      ];
      const folder = outFolder(out, { inputs: [...options.data, options.cache, ...(from ? [from] : [])] });
      const parts = partsOf(preset, { out: folder, common, set: options.set ?? [], from });
      if (preset.backbone.kind === "onnx" && parts.some((part) => !part.done())) {
        // All stages share this cache: made once, before two of them find it missing.
        for (const imageSize of new Set([preset.mtd.imageSize, preset.flow.imageSize])) {
          await prepareAhead(stagePeopleOptions({ ...options, preset, note }, { imageSize }));
        }
      }
      await runParts(parts, { atOnce: most });

      const together = join(out, "weights");
      gather(parts, out, together);
      const taken = parts.map(
        ({ name }) => [name, Math.round(new RunLog(join(out, name)).totalSeconds() / 60)] as const,
      );
      const text = `all weights in ${together}\nminutes: ${taken.map(([name, minutes]) => `${name} ${minutes}`).join(", ")}`;
      const minutes = Object.fromEntries(taken);
      print({ weights: together, minutes, atOnce: most, ...provenance(options.seed) }, { json, text });
    });
}

const weightsOf = (out: string, part: string) => join(out, part, "weights");

interface PartsOptions {
  out: string;
  /** Options of every part. */
  common: readonly string[];
  /** Values of the preset. */
  set: readonly string[];
  /** Folder of the weights that every stage starts from. */
  from: string | undefined;
}

/** The parts of a training, in the order in which they build on each other. */
export function partsOf(preset: Preset, { out, common, set, from }: PartsOptions): Part[] {
  const start = (...options: string[]) => (from === undefined ? [] : options.flatMap((option) => [option, from]));
  const [mtd, base, flow] = ["mtd", "base", "flow"].map((name) => weightsOf(out, name));
  const part = (name: string, last: string, needs: string[], builds: string[] = [], more: string[] = []): Part => {
    const stage = name === "mtd-decoder" ? "mtd" : name;
    const values = [...set, ...more];
    const settings = values.length > 0 ? ["--set", ...values] : [];
    return {
      name,
      needs,
      args: ["train", stage, "--out", join(out, name), ...common, ...builds, ...settings],
      done: () => existsSync(join(weightsOf(out, name), last)), // the file that the part writes last
    };
  };
  const ownBase = !takesPublished(preset) ? ["base"] : []; // else FLUX.1 as it is
  const identified = preset.flow.control.identity > 0 ? ["flow"] : [];
  const parts = [
    part("mtd", DECODER_FILE, [], start("--encoder", "--decoder")),
    ...ownBase.map((name) => part(name, FLUX_FILE, [], start("--base"))),
    part("flow", ADAPTER_FILE, ["mtd", ...ownBase], ["--encoder", mtd, "--base", base, ...start("--adapter")]),
    part("control", CONTROL_FILE, [...identified, ...ownBase], ["--flow", flow, "--base", base, ...start("--control")]),
  ];
  // A frozen encoder leaves stage one's decoder as good as it was.
  if (preset.flow.adapter.encoderRate > 0) {
    const again = ["--encoder", flow, "--decoder", mtd];
    parts.push(part("mtd-decoder", DECODER_FILE, ["flow"], again, presetOverrides(preset, decoderAgain(preset))));
  }
  return parts;
}

/** Copies the weights of all parts into one folder; what a later part has changed goes over what it was. */
function gather(parts: readonly Part[], out: string, together: string): void {
  outFolder(together);
  for (const folder of parts.map(({ name }) => weightsOf(out, name))) {
    for (const file of readdirSync(folder).filter((name) => name.endsWith(".safetensors"))) {
      copyFileSync(join(folder, file), join(together, file));
    }
  }
}
