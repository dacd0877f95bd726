import { autocast, type DType, type Moment, type Rehearsal, rehearse, scope, type Tensor } from "@omni-id/torch";
import type { Optimisation, Preset } from "../presets/schema.ts";
import { Optimisers } from "../train/optimisers.ts";
import { ALONE, type Share } from "../train/share.ts";
import { type BlankStage, openBlank, openPeople, type StageName } from "./open-blank.ts";

export interface RehearseStageOptions {
  name: StageName;
  preset: Preset;
  /** What it is trained on. */
  device: "cpu" | "cuda";
  precision: Extract<DType, "bfloat16" | "float32">;
  /** Devices that share each batch. */
  devices?: number;
  /** Whether the flow model's blocks keep their inputs only; the preset's own way when absent. */
  checkpoint?: boolean;
}

/** What one device needs for a stage; bytes, and floating-point operations a step. */
export interface StageNeed {
  /** Numbers that are trained, and that are not. */
  trained: number;
  frozen: number;
  weights: number;
  /** Of what is trained; twice with several devices, which exchange copies. */
  gradients: number;
  /** What the optimisers remember, and the moving average. */
  optimiser: number;
  /** The moving average's part of it, which every device has. */
  average: number;
  /** What a step takes beside all that, at most. */
  activations: number;
  /** The most that is taken at any moment; the parts above never need all be there at once. */
  peak: number;
  /** Of products; the mean over the steps. */
  flops: number;
  /** Operators that the device is asked for; the mean over the steps. */
  calls: number;
}

/** Steps of a run that are looked at where they differ: by how many photos go in, and because late ones count more. */
const LOOKED_AT = 6;

function looksAt({ mtd, flow }: Preset, name: StageName): number {
  if (name === "base") return 1;
  if (name === "control") return flow.control.identity > 0 && flow.control.identity < 1 ? LOOKED_AT : 1;
  const { inputs, likeness } = name === "mtd" ? { ...mtd, ...mtd.loss } : flow.adapter;
  return inputs.length > 1 || likeness > 0 || mtd.loss.perceptual > 0 ? LOOKED_AT : 1;
}

export const optimisationOf = ({ mtd, flow }: Preset, name: StageName): Optimisation =>
  name === "mtd" ? mtd.optimisation : name === "flow" ? flow.adapter.optimisation : flow[name].optimisation;

/** Whether a preset's stage runs the flow model's blocks twice. */
export const checkpointOf = ({ flow }: Preset, name: StageName): boolean =>
  name === "flow" ? flow.adapter.checkpoint : name === "control" && flow.control.checkpoint;

/**
 * What a stage's step takes on one device, by rehearsing it: the stage itself is built, draws its batches, and goes
 * forward, backward and through its optimisers, without computing.
 * @throws when the batch cannot be shared evenly by the devices
 */
export function rehearseStage(options: RehearseStageOptions): StageNeed {
  const { name, preset, device, devices = 1, checkpoint = checkpointOf(preset, name) } = options;
  return rehearse({ device }, (rehearsal) => {
    const people = openPeople(name, preset);
    const empty = rehearsal.now();
    const opened = openBlank(name, preset, people, checkpoint);
    const built = rehearsal.now();
    const optimisers = new Optimisers(opened.stage.groups, optimisationOf(preset, name));
    const run = new Run(rehearsal, opened, optimisers, options);
    // The first step makes what the optimisers remember.
    run.step(1);
    const weights = rehearsal.heldAt(built, { since: empty });
    const optimiser = rehearsal.heldAt(rehearsal.now(), { since: built });
    const { steps } = optimisationOf(preset, name);
    const length = looksAt(preset, name);
    const looked = Array.from({ length }, (_, i) => run.step(Math.ceil(((i + 1) * steps) / length)));
    const most = (key: "gradients" | "activations" | "taken") => Math.max(...looked.map((step) => step[key]));
    const copies = devices > 1 ? most("gradients") : 0;
    const trained = numbersIn(optimisers.parameters);
    const modules = [opened.stage.model, ...opened.frozen];
    return {
      trained,
      frozen: numbersIn(new Set(modules.flatMap((module) => module.parameters()))) - trained,
      weights,
      gradients: most("gradients") + copies,
      optimiser,
      average: rehearsal.bytesAt(rehearsal.placesOf([...optimisers.average.stateTensors().values()])),
      activations: most("activations"),
      peak: weights + optimiser + most("taken") + copies,
      flops: looked.reduce((sum, { flops }) => sum + flops, 0) / looked.length,
      calls: looked.reduce((sum, { calls }) => sum + calls, 0) / looked.length,
    };
  });
}

const numbersIn = (tensors: Iterable<Tensor>): number => [...tensors].reduce((sum, { numel }) => sum + numel, 0);

/** Steps of a training, as the loop does them. */
class Run {
  readonly #rehearsal: Rehearsal;
  readonly #opened: BlankStage;
  readonly #optimisers: Optimisers;
  readonly #share: Share;
  readonly #precision: "bfloat16" | "float32";

  constructor(
    rehearsal: Rehearsal,
    opened: BlankStage,
    optimisers: Optimisers,
    { devices = 1, precision }: RehearseStageOptions,
  ) {
    this.#rehearsal = rehearsal;
    this.#opened = opened;
    this.#optimisers = optimisers;
    this.#share = devices > 1 ? { ...ALONE, count: devices } : ALONE;
    this.#precision = precision;
  }

  step(step: number) {
    const { stage } = this.#opened;
    const rehearsal = this.#rehearsal;
    const from = rehearsal.now();
    const gradients = scope(() => {
      const whole = stage.batch(step);
      const batch = stage.part ? stage.part(whole, this.#share) : whole;
      const enabled = this.#precision !== "float32";
      const { loss } = autocast({ dtype: this.#precision, enabled }, () => stage.loss(batch, step, this.#share));
      loss.backward();
      const grads = this.#optimisers.parameters.flatMap(({ grad }) => (grad ? [grad] : []));
      const places = rehearsal.placesOf(grads);
      this.#optimisers.clip();
      this.#optimisers.step(step);
      return places;
    });
    const span: { from: Moment; to: Moment } = { from, to: rehearsal.now() };
    return {
      gradients: rehearsal.bytesAt(gradients),
      activations: rehearsal.most({ ...span, without: gradients }),
      taken: rehearsal.most(span),
      flops: span.to.flops - span.from.flops,
      calls: span.to.calls - span.from.calls,
    };
  }
}
