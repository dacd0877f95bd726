import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { autocast, type DType, type nn, scope } from "@omni-id/torch";
import { completePreset, presetDifferences } from "../presets/index.ts";
import type { Preset } from "../presets/schema.ts";
import { type CheckpointInfo, lastCheckpoint, loadCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import { Optimisers } from "./optimisers.ts";
import type { TrainLog } from "./run-log.ts";
import { Saver } from "./saver.ts";
import type { Stage } from "./stage.ts";
import { SOLO, type Team } from "./team.ts";

export interface TrainOptions {
  /** Folder of checkpoints, logs and pictures. */
  out: string;
  seed: number;
  preset: Preset;
  optimisation: Preset["mtd"]["optimisation"];
  precision: Extract<DType, "bfloat16" | "float32">;
  log: TrainLog;
  /** Go on from this checkpoint; `true`: from the newest one of `out`. */
  resume?: string | true;
  /** Else the preset's, and a line every 25 steps. */
  every?: Partial<Intervals>;
  /** Aborted: the loop ends after the current step, with a checkpoint. */
  signal?: AbortSignal;
  /** The processes that train together; alone when left out. */
  team?: Team;
}

/** Steps between log lines, saved checkpoints, those that stay (0: none), and held-out reports. */
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

  const optimisers = new Optimisers(stage.groups, optimisation, team.divides);
  const start = resume(stage, optimisers, options);
  if (team.any(team.figures({ start }).start !== start))
    throw new Error(`the processes found different checkpoints in ${out}; it has to be a folder that all of them see`);
  team.join(stage.model);
  const info = (step: number): CheckpointInfo => ({ stage: stage.name, step, seed, preset: JSON.stringify(preset) });
  log.start({ from: start, to: optimisation.steps });

  let step = start;
  const saver = new Saver(start);
  while (step < optimisation.steps && !team.any(signal?.aborted ?? false)) {
    step++;
    saver.check();
    const done = scope((): StepOutcome => {
      const batch = stage.part ? stage.part(stage.batch(step), share) : stage.batch(step);
      const { loss, metrics } = autocast({ dtype: precision, enabled: precision !== "float32" }, () =>
        stage.loss(batch, step, share),
      );
      const means = team.figures({ loss: loss.item(), ...metrics });
      const { loss: value } = means;
      // Before the step: weights that have met a NaN cannot be saved.
      if (!Number.isFinite(value)) {
        return { trouble: `the loss is ${value}`, batch: stage.describe(batch) };
      }
      loss.backward();
      const norm = optimisers.clip();
      if (!Number.isFinite(norm)) {
        const key = firstNotFinite(stage.model);
        const trouble = `the gradient${key ? ` of "${key}"` : ""} is not finite (norm ${norm}), though the loss is ${value}`;
        return { trouble, batch: stage.describe(batch) };
      }
      optimisers.step(step);
      return { figures: { ...means, norm } };
    });
    if ("trouble" in done) {
      await saver.finish();
      throw new NotFinite({ step, what: done.trouble, batch: done.batch, saved: saver.sound });
    }
    log.step(step, done.figures);

    if (step === 1 || step % every.log === 0)
      log.line(
        step,
        scope(() => stage.probe?.(step, share) ?? {}),
      );
    if (every.keep > 0 && step % every.keep === 0) {
      await save({ keep: true });
    }
    if (step % every.save === 0) await save();
    if (stage.heldOut && step % every.heldOut === 0 && step < optimisation.steps) await report(step);
    await new Promise(setImmediate); // lets Ctrl-C and the loader in
  }

  const checkpoint = await save();
  await saver.finish();
  await team.meet(`the checkpoint of step ${step}`);
  const interrupted = step < optimisation.steps;
  if (!interrupted && stage.heldOut) await report(step);
  log.end({ step, interrupted });
  if (!interrupted) optimisers.average.swap();
  return { step, checkpoint, interrupted };

  function save({ keep = false } = {}): Promise<string> {
    return saver.save(step, () => saveCheckpoint(out, info(step), stage.model, optimisers, { keep, writes: leads }));
  }

  async function report(at: number): Promise<void> {
    if (leads) await reportAlone(at);
    await team.meet(`the report on held-out people at step ${at}`);
  }

  async function reportAlone(at: number): Promise<void> {
    optimisers.average.swap();
    const held = autocast({ dtype: precision, enabled: precision !== "float32" }, () => stage.heldOut?.(at));
    optimisers.average.swap();
    if (!held) return;
    log.heldOut(at, held.metrics);
    await held.picture?.(join(out, `held-out-${String(at).padStart(6, "0")}.png`));
  }
}

/** What a step came to. */
type StepOutcome = { figures: Record<string, number> } | { trouble: string; batch: string };

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

/** Key of the first parameter whose gradient holds a NaN or an infinity. */
function firstNotFinite(model: nn.Module): string | undefined {
  return scope(
    () => model.namedParameters().find(([, { grad }]) => grad && !grad.float().isfinite().all().item())?.[0],
  );
}
