import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { StageFolders } from "./folders.ts";
import { isRunning, secondsOf } from "./queue.ts";
import type { ExperimentStage, StageKind } from "./stages.ts";

export interface ExperimentStatus {
  done: number;
  running: { label: string; step: number; steps: number }[];
  /** Stages that are neither done nor at work. */
  left: number;
  /** Those of the left that an earlier attempt has begun. */
  begun: number;
  /** Hours until all is done, as far as finished stages of each kind tell. */
  hoursLeft?: number;
  /** Mean seconds of a finished stage, by kind. */
  seconds: Partial<Record<StageKind, number>>;
}

/** What is done, running and left of an experiment, and how long it will take. */
export function experimentStatus(
  stages: readonly ExperimentStage[],
  folders: StageFolders,
  atOnce: number,
): ExperimentStatus {
  const done = stages.filter((stage) => folders.isDone(stage));
  const open = stages.filter((stage) => !done.includes(stage));
  const running = open.filter((stage) => isRunning(folders.of(stage)));
  const steps = new Map(open.map((stage) => [stage.id, stepsDone(folders.of(stage))]));
  const perStep = new Map<StageKind, number>();
  const seconds: ExperimentStatus["seconds"] = {};
  for (const kind of ["mtd", "flow", "downstream", "evaluate"] as const) {
    const known = done.filter((stage) => stage.kind === kind && stage.steps > 0 && secondsOf(folders.of(stage)) > 0);
    if (known.length === 0) continue;
    const total = known.reduce((sum, stage) => sum + secondsOf(folders.of(stage)), 0);
    seconds[kind] = Math.round(total / known.length);
    perStep.set(kind, total / known.reduce((sum, stage) => sum + stage.steps, 0));
  }
  // What was never timed is taken for as slow as the slowest that was.
  const guess = Math.max(0, ...perStep.values());
  const left = open.reduce(
    (sum, stage) => sum + (stage.steps - (steps.get(stage.id) ?? 0)) * (perStep.get(stage.kind) ?? guess),
    0,
  );
  return {
    done: done.length,
    running: running.map(({ id, label, steps: all }) => ({ label, step: steps.get(id) ?? 0, steps: all })),
    left: open.length - running.length,
    begun: open.filter((stage) => !running.includes(stage) && (steps.get(stage.id) ?? 0) > 0).length,
    ...(perStep.size > 0 && { hoursLeft: left / atOnce / 3600 }),
    seconds,
  };
}

/** Steps that a training's log tells of. */
function stepsDone(folder: string): number {
  const file = join(folder, "log.jsonl");
  if (!existsSync(file)) return 0;
  const steps = [...readFileSync(file, "utf8").matchAll(/"step":(\d+)/g)];
  return Number(steps[steps.length - 1]?.[1] ?? 0);
}
