import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import type { StageFolders } from "../experiments/folders.ts";
import type { ExperimentSettings, ExperimentStage } from "../experiments/stages.ts";
import { BIN, startCommand } from "./own-process.ts";

export interface StageCommands {
  folders: StageFolders;
  cache: string;
  /** Processor threads of each. */
  threads: number;
  settings: ExperimentSettings;
}

/** Starts the process of a stage: a command that a person could type. */
export function startStage(stage: ExperimentStage, how: StageCommands): ChildProcess {
  return startCommand(wordsOf(stage, how), { OMP_NUM_THREADS: `${how.threads}` });
}

/**
 * Prepares everybody for the stages, in as many processes as stages run beside each other: each takes its share of the
 * parts. What one of them leaves is made by whoever asks for it.
 */
export async function prepareTogether(out: string, cache: string, count: number): Promise<void> {
  const children = Array.from({ length: count }, (_, rank) =>
    spawn(
      process.execPath,
      [BIN, "reproduce", "prepare", "--in", out, "--people", cache, "--turn", `${rank}/${count}`],
      {
        stdio: ["ignore", "ignore", "inherit", "ipc"],
        env: { ...process.env, OMP_NUM_THREADS: "1" },
      },
    ),
  );
  await Promise.all(children.map((child) => new Promise((resolve) => child.on("close", resolve))));
}

/** What a person would type after `omni-id` for a stage. */
export function wordsOf(stage: ExperimentStage, { folders, cache, threads, settings }: StageCommands): string[] {
  const { base, device, precision, judging } = settings;
  const common = ["--data", stage.data, "--cache", cache, "--device", device, "--threads", `${threads}`];
  const [needed] = stage.needs;
  if (stage.references !== undefined) {
    const drawn = ["--base", "klein", "--size", `${stage.references}`, "--seed", `${judging.seed}`];
    return ["evaluate", "--stage", "references", ...common, ...drawn, "-o", folders.report(stage.id)];
  }
  if (stage.kind === "evaluate") {
    const weights = folders.gather(stage.id, { base: base.folder, trained: needed });
    const guidance = judging.guidance === undefined ? [] : ["--guidance", `${judging.guidance}`];
    const poses = stage.poses ? [] : ["--no-poses"];
    const drawn = ["--seed", `${judging.seed}`, "--steps", `${judging.steps}`, ...guidance, ...poses];
    return ["evaluate", "--stage", "tables", ...common, "--weights", weights, ...drawn, "-o", folders.report(stage.id)];
  }
  // A representation that has no stage one starts from nothing: there is no such folder.
  const given = needed === undefined ? (stage.encoder ?? join(folders.of(stage), "none")) : folders.weights(needed);
  const encoder = stage.kind === "mtd" ? [] : ["--encoder", given, "--base", base.folder];
  const start = stage.kind === "downstream" ? ["--adapter", given, "--control", base.folder] : [];
  return [
    ...["train", stage.kind === "mtd" ? "mtd" : "flow", "--out", folders.of(stage), ...common, ...encoder, ...start],
    ...["--preset", "nano-paper", "--set", ...stage.set, "--seed", `${stage.seed}`, "--precision", precision],
    ...["--log-every", "50", "--held-out-every", "0", "--resume"],
  ];
}
