import type { ChildProcess } from "node:child_process";
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeAtomically } from "@omni-id/torch";
import type { StageFolders } from "./folders.ts";
import type { ExperimentStage } from "./stages.ts";

export interface QueueOptions {
  stages: readonly ExperimentStage[];
  folders: StageFolders;
  /** Stages beside each other. */
  atOnce: number;
  /** Starts the process of a stage. */
  start: (stage: ExperimentStage) => ChildProcess;
  /** Called after each stage that has ended well. */
  onDone?: (stage: ExperimentStage) => void;
  note: (text: string) => void;
  /** Aborted: nothing new is started, and what runs is told to save and stop. */
  signal: AbortSignal;
  /** From this moment on (`performance.now()`) no training is started and those that run are told to stop; what is trained is still measured. */
  until?: number;
}

export interface QueueResult {
  done: number;
  failed: { stage: ExperimentStage; why: string }[];
  /** Stages that were not reached: a stage before them failed, or the time was up. */
  left: ExperimentStage[];
}

/** What a stage's process writes down of its run, beside what the stage itself writes. */
interface Running {
  pid: number;
  started: string;
}

const RUNNING = "running.json";
const SECONDS = "seconds.json";

/**
 * Runs stages in processes of their own, so many at a time, the first ones of the list that can. What is done is left
 * out. A stage that fails takes along those alone that need it.
 */
export async function runQueue(options: QueueOptions): Promise<QueueResult> {
  const { stages, folders, atOnce, note, signal, until = Number.POSITIVE_INFINITY, onDone = () => {} } = options;
  const done = new Set(stages.filter((stage) => folders.isDone(stage)).map(({ id }) => id));
  const started = new Set<string>(done);
  const running = new Map<string, ChildProcess>();
  const failed: QueueResult["failed"] = [];
  const before = done.size;
  let full = false;
  const late = () => performance.now() >= until;
  const stopTrainings = () => {
    for (const stage of stages) if (stage.kind !== "evaluate") running.get(stage.id)?.kill("SIGTERM");
  };

  await new Promise<void>((resolve, reject) => {
    const timer =
      until === Number.POSITIVE_INFINITY
        ? undefined
        : setTimeout(
            () => {
              note("the time is up: trainings save and stop, what is trained is measured");
              stopTrainings();
              next();
            },
            Math.max(0, until - performance.now()),
          );
    const stopAll = () => {
      for (const child of running.values()) child.kill("SIGTERM");
    };
    signal.addEventListener("abort", stopAll);

    const next = () => {
      for (const stage of signal.aborted || full ? [] : stages) {
        if (running.size >= atOnce) break;
        if (started.has(stage.id) || !stage.needs.every((need) => done.has(need))) continue;
        if (stage.kind !== "evaluate" && late()) continue;
        started.add(stage.id);
        begin(stage);
      }
      if (running.size > 0) return;
      clearTimeout(timer);
      signal.removeEventListener("abort", stopAll);
      resolve();
    };

    const begin = (stage: ExperimentStage) => {
      try {
        const from = performance.now();
        const { child, words } = follow(stage, options);
        running.set(stage.id, child);
        note(`${stage.label}: started`);
        child.on("error", reject);
        child.on("close", (code) => {
          running.delete(stage.id);
          rmSync(join(folders.of(stage), RUNNING), { force: true });
          const seconds = (performance.now() - from) / 1000;
          if (code === 0 && folders.isDone(stage)) {
            done.add(stage.id);
            keepSeconds(folders.of(stage), seconds);
            note(`${stage.label}: done in ${Math.round(seconds)} s (${done.size} of ${stages.length})`);
            onDone(stage);
          } else if (signal.aborted || late()) keepSeconds(folders.of(stage), seconds);
          else {
            const why = words() || `it ended with code ${code}`;
            failed.push({ stage, why });
            full ||= /the disk is full/.test(why);
            note(`${stage.label}: failed: ${why}`);
          }
          next();
        });
      } catch (error) {
        reject(error as Error);
      }
    };
    next();
  });
  const lost = new Set(failed.map(({ stage }) => stage.id));
  const left = stages.filter(({ id }) => !done.has(id) && !lost.has(id));
  return { done: done.size - before, failed, left };
}

/** Starts a stage; its words go to its log, the last of them are kept for a message. */
function follow(
  stage: ExperimentStage,
  { folders, start }: QueueOptions,
): { child: ChildProcess; words: () => string } {
  const folder = folders.of(stage);
  mkdirSync(folder, { recursive: true });
  writeAtomically(join(folder, "stage.json"), `${JSON.stringify(stage, null, 2)}\n`);
  const child = start(stage);
  const running: Running = { pid: child.pid ?? 0, started: new Date().toISOString() };
  writeAtomically(join(folder, RUNNING), `${JSON.stringify(running)}\n`);
  const log = createWriteStream(folders.log(stage), { flags: "a" });
  log.on("error", () => {}); // a full disk is told by the stage itself
  let last = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (data: Buffer) => {
      log.write(data);
      last = (last + data.toString()).slice(-2000);
    });
  }
  child.on("close", () => log.end());
  return {
    child,
    words: () =>
      last
        .split("\n")
        .filter((line) => line.startsWith("omni-id: "))
        .map((line) => line.slice("omni-id: ".length))
        .join("; "),
  };
}

/** Seconds that a stage has taken, those of earlier attempts included. */
export function secondsOf(folder: string): number {
  const file = join(folder, SECONDS);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as number) : 0;
}

function keepSeconds(folder: string, seconds: number): void {
  writeAtomically(join(folder, SECONDS), `${Math.round(secondsOf(folder) + seconds)}\n`);
}

/** Whether a stage's process is at work now. */
export function isRunning(folder: string): boolean {
  const file = join(folder, RUNNING);
  if (!existsSync(file)) return false;
  const { pid } = JSON.parse(readFileSync(file, "utf8")) as Running;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // killed before it could say so
  }
}
