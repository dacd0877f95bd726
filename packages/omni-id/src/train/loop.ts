import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { autocast, deviceMemory, optim, scope } from "@omni-id/torch";
import type { FetchedPictures } from "../people/picture-source.ts";
import { completePreset, presetDifferences } from "../presets/index.ts";
import type { Preset } from "../presets/schema.ts";
import { Ahead } from "./ahead.ts";
import { type CheckpointInfo, lastCheckpoint, loadCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import { Optimisers } from "./optimisers.ts";
import { Pieces } from "./pieces.ts";
import type { TrainLog } from "./run-log.ts";
import { Saver } from "./saver.ts";
import type { Stage } from "./stage.ts";
import { type Precision, takeStep } from "./step.ts";
import { SOLO, type Team } from "./team.ts";

export interface TrainOptions {
  /** Folder of checkpoints, logs and pictures. */
  out: string;
  seed: number;
  preset: Preset;
  optimisation: Preset["mtd"]["optimisation"];
  precision: Precision;
  log: TrainLog;
  /** Go on from this checkpoint; `true`: from the newest one of `out`. */
  resume?: string | true;
  /** Else the preset's, and a line every 25 steps. */
  every?: Partial<Intervals>;
  /** Aborted: the loop ends after the current step, with a checkpoint. */
  signal?: AbortSignal;
  /** The processes that train together; alone when left out. */
  team?: Team;
  /** Into how many pieces, one after the other, a process divides its share of a step. Default 1. */
  pieces?: number;
}

/** Steps between log lines, saved checkpoints, those that stay (0: none), and held-out reports (0: none). */
export interface Intervals {
  log: number;
  save: number;
  keep: number;
  heldOut: number;
}

export interface TrainResult {
  step: number;
  checkpoint: string;
  interrupted: boolean;
}

/**
 * The training loop, for every stage. A checkpoint holds weights, optimiser state and averages; batches and masks
 * depend on (seed, step) alone. So a run that was killed and resumed ends in the same bits as one that was not. Of
 * several processes each takes its share of the batch, and one writes.
 */
export async function train<Batch>(stage: Stage<Batch>, options: TrainOptions): Promise<TrainResult> {
  const { out, seed, preset, optimisation, precision, log, signal, team = SOLO } = options;
  const { share, leads } = team;
  if (share.count > 1 && !stage.part) throw new Error(`stage "${stage.name}" is trained by one process only`);
  const every: Intervals = { log: 25, ...preset.every, ...options.every };
  mkdirSync(out, { recursive: true });

  const scaler = precision === "float16" ? new optim.GradScaler() : undefined;
  const optimisers = new Optimisers(stage.groups, optimisation, team.divides, scaler);
  const start = resume(stage, optimisers, options);
  if (team.any(team.figures({ start }).start !== start))
    throw new Error(`the processes found different checkpoints in ${out}; it has to be a folder that all of them see`);
  team.join(stage.model);
  const info = (step: number): CheckpointInfo => ({ stage: stage.name, step, seed, preset: JSON.stringify(preset) });
  log.start({ from: start, to: optimisation.steps });

  let step = start;
  const saver = new Saver(start);
  const pieces = new Pieces(stage, share, options.pieces ?? 1);
  const ahead = new Ahead(stage, pieces.shares, optimisation.steps);
  while (step < optimisation.steps && !team.any(signal?.aborted ?? false)) {
    step++;
    saver.check();
    const pictures = await ahead.of(step);
    const done = takeStep({ stage, optimisers, team, precision, pieces }, step, pictures);
    if ("trouble" in done) {
      await saver.finish();
      throw new NotFinite({ step, what: done.trouble, batch: done.batch, saved: saver.sound });
    }
    log.step(step, done.figures);

    const due = dueAt(step, every);
    if (due.line) log.line(step, { ...probe(pictures?.[0]), ...memoryFigures() });
    for (const fetched of pictures ?? []) fetched[Symbol.dispose]();
    if (due.keep) await save({ keep: true });
    if (due.save) await save();
    if (due.report && stage.heldOut && step < optimisation.steps) await report(step);
    await new Promise(setImmediate); // lets Ctrl-C and the loader in
  }

  await ahead.close();
  const checkpoint = await save();
  await saver.finish();
  await team.meet(`the checkpoint of step ${step}`);
  const interrupted = step < optimisation.steps;
  if (!interrupted && stage.heldOut && every.heldOut > 0) await report(step);
  log.end({ step, interrupted });
  if (!interrupted) optimisers.average.swap();
  return { step, checkpoint, interrupted };

  function probe(pictures: FetchedPictures | undefined): Record<string, number> {
    return scope(() => stage.probe?.(step, pieces.first, pictures) ?? {});
  }

  function save({ keep = false } = {}): Promise<string> {
    return saver.save(step, () => saveCheckpoint(out, info(step), stage.model, optimisers, { keep, writes: leads }));
  }

  async function report(at: number): Promise<void> {
    if (leads) await reportAlone(stage, optimisers, options, at);
    await team.meet(`the report on held-out people at step ${at}`);
  }
}

/** Figures and a picture of held-out people, with the averaged weights in place. */
async function reportAlone<Batch>(
  stage: Stage<Batch>,
  optimisers: Optimisers,
  { out, precision, log }: Pick<TrainOptions, "out" | "precision" | "log">,
  at: number,
): Promise<void> {
  optimisers.average.swap();
  const held = autocast({ dtype: precision, enabled: precision !== "float32" }, () => stage.heldOut?.(at));
  optimisers.average.swap();
  if (!held) return;
  log.heldOut(at, held.metrics);
  await held.picture?.(join(out, `held-out-${String(at).padStart(6, "0")}.png`));
}

/** What is due after a step. */
function dueAt(step: number, every: Intervals): Record<"line" | "keep" | "save" | "report", boolean> {
  return {
    line: step === 1 || step % every.log === 0,
    keep: every.keep > 0 && step % every.keep === 0,
    save: step % every.save === 0,
    report: every.heldOut > 0 && step % every.heldOut === 0,
  };
}

/** What the card's memory holds, in GB; nothing on a CPU. */
function memoryFigures(): Record<string, number> {
  const memory = deviceMemory(undefined, { reset: true });
  return memory ? { memory_gb: memory.allocated / 1e9, memory_peak_gb: memory.peak / 1e9 } : {};
}

/** Loads the checkpoint to go on from; returns the steps it has done. */
function resume<Batch>(stage: Stage<Batch>, optimisers: Optimisers, options: TrainOptions): number {
  const { out, resume, seed, preset, log } = options;
  const newest = lastCheckpoint(out);
  if (!resume) {
    // Its checkpoints would be written over one by one.
    if (newest) throw new Error(`${out} holds a run already; go on with it (--resume), or choose another folder`);
    return 0;
  }
  const file = resume === true ? newest : resume;
  if (!file) {
    log.note(`${out} holds no checkpoint yet: starting from the first step`);
    return 0;
  }
  const checkpoint = loadCheckpoint(file, stage.name, stage.model, optimisers);
  const stored = JSON.parse(checkpoint.preset) as Preset;
  const changes = presetDifferences(completePreset(stored) ?? stored, preset);
  if (changes.length > 0) log.note(`the preset differs from the checkpoint's: ${changes.join(", ")}`);
  if (checkpoint.seed !== seed) log.note(`the checkpoint's seed was ${checkpoint.seed}; from here on it is ${seed}`);
  log.note(`going on from ${file}, ${checkpoint.step} steps done`);
  return checkpoint.step;
}

/** Loss or gradient became NaN or infinite. The run stops before weights, optimisers and checkpoint are touched. */
export class NotFinite extends Error {
  constructor({ step, what, batch, saved }: { step: number; what: string; batch: string; saved: number }) {
    const sound = saved > 0 ? `The checkpoint of step ${saved} is sound` : "Nothing was saved yet";
    const remedy = saved > 0 ? "look at these images, or go on from it with" : "look at these images, or start with";
    super(`step ${step}: ${what}. Batch: ${batch}. ${sound}; ${remedy} a lower rate or another seed.`);
    this.name = "NotFinite";
  }
}
