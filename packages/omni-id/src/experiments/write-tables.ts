import { join } from "node:path";
import { provenance } from "@omni-id/data";
import { writeAtomically } from "@omni-id/torch";
import { reportText } from "../evaluate/figures.ts";
import { synthCommand } from "../train/commands.ts";
import type { StageFolders } from "./folders.ts";
import { type ArmFigures, type TableResult, tableResult } from "./results.ts";
import type { Experiment, ExperimentSettings } from "./stages.ts";
import { TABLES } from "./tables/index.ts";

/** Writes every table as far as it is measured. */
export function writeTables(
  results: string,
  { experiment, settings, folders }: { experiment: Experiment; settings: ExperimentSettings; folders: StageFolders },
): TableResult[] {
  const here = provenance(0);
  const { device, precision, steps, seeds, tables, set } = settings;
  return tables.map((table) => {
    const measured = new Map<string, Map<number, ArmFigures>>();
    const missing = experiment.leftOut.filter((one) => one.table === table).map(({ arm, why }) => `${arm}: ${why}`);
    for (const run of experiment.runs.filter((one) => one.table === table)) {
      const figures = folders.figures(run.evaluate);
      const seedsOf = measured.get(run.arm) ?? new Map<number, ArmFigures>();
      measured.set(run.arm, seedsOf);
      if (figures) seedsOf.set(run.seed, figures);
    }
    for (const [arm, seedsOf] of measured) {
      const open = Array.from({ length: seeds }, (_, seed) => seed).filter((seed) => !seedsOf.has(seed));
      if (open.length > 0)
        missing.push(`${arm}: not measured yet (seed${open.length > 1 ? "s" : ""} ${open.join(", ")})`);
    }
    const all = [...measured.values()].flatMap((seedsOf) => [...seedsOf.values()]);
    // Measured on several days, and perhaps on several machines.
    const told = (key: "commit" | "hardware") =>
      [...new Set(all.map((figures) => figures[key] ?? here[key]))].join(", ") || here[key];
    const result = tableResult(table, measured, {
      commit: told("commit"),
      hardware: told("hardware"),
      date: here.date,
      device,
      precision,
      steps,
      seeds,
      missing,
      set,
      data: synthCommand(settings.data.folder),
      web: [...measured].some(([arm, seedsOf]) => TABLES[table].arms[arm].web && seedsOf.size > 0)
        ? settings.web && synthCommand(settings.web.folder)
        : undefined,
    });
    writeAtomically(join(results, `${table}.json`), reportText(result));
    return result;
  });
}
