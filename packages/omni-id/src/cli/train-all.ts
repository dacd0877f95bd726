import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Command } from "@commander-js/extra-typings";
import { ADAPTER_FILE, CONTROL_FILE, FLUX_FILE } from "../flow-weights.ts";
import type { Preset } from "../presets/schema.ts";
import { DECODER_FILE } from "../weights-folder.ts";
import { outFolder, print } from "./output.ts";
import { runStage, type StageRun, settingsOf, withTrainingOptions } from "./stage-command.ts";
import { STAGES } from "./stages.ts";

/** The file that a part writes last: with it there the part is done. */
const LAST_FILE: Readonly<Record<string, string>> = {
  mtd: DECODER_FILE,
  base: FLUX_FILE,
  flow: ADAPTER_FILE,
  control: CONTROL_FILE,
  "mtd-decoder": DECODER_FILE,
};

/**
 * From shards to everything that ships: stage one, the flow base, stage two, the ControlNet, and stage one's decoder
 * once more for the encoder that stage two has changed. Each part has a folder of its own and is skipped once its
 * weights are there, so the same command goes on wherever it was stopped.
 */
export function trainAllCommand() {
  return withTrainingOptions(
    new Command("all").description("all stages, one after the other; the same command goes on where it stopped"),
  )
    .option("--out <folder>", "a folder for each stage, and all weights together in weights/", "runs")
    .addHelpText(
      "after",
      "\nAbout four hours on two cores with the nano preset. Then: omni-id generate --weights runs/weights …",
    )
    .action(async ({ data, cache, out, seed, json, ...options }) => {
      const settings = settingsOf(options);
      const weightsOf = (part: string) => join(out, part, "weights");
      const run = async (
        part: string,
        go: (run: StageRun) => ReturnType<typeof runStage>,
        more: Partial<StageRun> = {},
      ) => {
        if (existsSync(join(weightsOf(part), LAST_FILE[part]))) return;
        await go({
          data,
          cache,
          out: join(out, part),
          seed,
          resume: true,
          weights: {},
          ...settings,
          ...more,
        });
      };
      const [mtd, base, flow] = ["mtd", "base", "flow"].map(weightsOf);
      await run("mtd", (stage) => runStage(STAGES.mtd, stage));
      await run("base", (stage) => runStage(STAGES.base, stage));
      await run("flow", (stage) => runStage(STAGES.flow, stage), { weights: { encoder: mtd, base } });
      await run("control", (stage) => runStage(STAGES.control, stage), { weights: { flow, base } });
      // A frozen encoder leaves stage one's decoder as good as it was.
      const changed = settings.preset.flow.adapter.encoderRate > 0;
      const again = { weights: { encoder: flow, decoder: mtd }, preset: decoderOnly(settings.preset) };
      if (changed) await run("mtd-decoder", (stage) => runStage(STAGES.mtd, stage), again);

      const together = outFolder(join(out, "weights"));
      for (const part of ["base", "control", changed ? "mtd-decoder" : "mtd", "flow"]) {
        for (const file of readdirSync(weightsOf(part)).filter((name) => name.endsWith(".safetensors"))) {
          copyFileSync(join(weightsOf(part), file), join(together, file));
        }
      }
      print({ weights: together }, { json, text: `all weights in ${together}` });
    });
}

/** Stage one once more for a finished encoder: the decoder alone, a fifth of the steps, likeness from the first one. */
function decoderOnly({ mtd, ...preset }: Preset): Preset {
  const steps = Math.ceil(mtd.optimisation.steps / 5);
  const loss = { ...mtd.loss, from: 0 };
  return { ...preset, mtd: { ...mtd, encoderRate: 0, loss, optimisation: { ...mtd.optimisation, steps } } };
}
