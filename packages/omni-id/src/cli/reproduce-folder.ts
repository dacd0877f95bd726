import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeAtomically } from "@omni-id/torch";
import type { ExperimentSettings } from "../experiments/stages.ts";
import { UsageError } from "./output.ts";

/** Where an experiment's stages go unless told otherwise. */
export const EXPERIMENTS = join("runs", "experiments");

/** Where tables and figures go unless told otherwise. */
export const RESULTS = join("results", "experiments");

/** What an experiment's folder tells of it. */
export interface ExperimentFile {
  commit: string;
  settings: ExperimentSettings;
  atOnce: number;
  /** Where the tables go, and what was measured. */
  results?: string;
}

const experimentFile = (out: string) => join(out, "experiment.json");

/** Where measurements outlive the folder of their stages: beside the tables. */
export const measuredIn = (results: string) => join(results, "figures");

/** What was begun in a folder; nothing where nothing was. */
export function readExperiment(out: string): ExperimentFile | undefined {
  const file = experimentFile(out);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as ExperimentFile) : undefined;
}

/** Notes what is run in a folder. @throws UsageError when another commit has begun there, whose code may have been another */
export function beginExperiment(out: string, file: ExperimentFile, otherCommit = false): void {
  const before = readExperiment(out);
  if (before && before.commit !== file.commit && !otherCommit) {
    throw new UsageError(
      `${out} was begun by commit ${before.commit}, and this is ${file.commit}: what is trained there may come from other code. Go on with it all the same (--other-commit), or name another --out`,
    );
  }
  writeAtomically(experimentFile(out), `${JSON.stringify(file, null, 2)}\n`);
}
