import { advise } from "./advice.ts";
import { USABLE } from "./cards.ts";
import { picturesOf, readBytes } from "./data.ts";
import { needOf, type PlannedMemory, type PlanOptions, type Way } from "./need.ts";
import type { StageName } from "./open-blank.ts";
import { checkpointOf, optimisationOf } from "./rehearse-stage.ts";
import { batchOf, withBatch } from "./sections.ts";

export interface PlannedStage {
  name: string;
  steps: number;
  /** Identities of a step, or pictures where a stage draws these, and how many of them one device has. */
  batch: { whole: number; device: number };
  /** Parameters. */
  trained: number;
  frozen: number;
  memory: PlannedMemory;
  /** The most of it that is taken at once, pictures not counted: gradients come when activations go. */
  peak: number;
  /** With and without activation checkpoints, where the flow model runs. */
  checkpoints?: { on: boolean; with: PlannedMemory; without: PlannedMemory };
  fits: boolean;
  /** Floating-point operations of a step's products, all devices together; the mean over the training. */
  flops: number;
  secondsPerStep: number;
  /** What a step's time is made of: products, or the asking for operators, where these are many and small. */
  bound: "products" | "calls";
  hours: number;
  picturesPerSecond: number;
  /** Bytes: one checkpoint, those that stay, and the weights at the end. */
  disk: { checkpoint: number; kept: number; weights: number };
  /** Bytes a second: pictures that all devices read, and gradients that each of them sends. */
  network: { pictures: number; gradients: number };
  /** What to change. */
  advice: string[];
}

/** For an operator's way through autograd and the driver: what nano's base takes on an H200 (results/gpu.json). */
const SECONDS_A_CALL = 25e-6;

/** Bytes a second between machines: 400 Gbit/s. */
const LINK = 50e9;
const SLOW_LINK =
  "gradients: more than 400 Gbit/s between machines carry; on several a step takes longer, unless each has a larger batch";

/** What one stage takes. @param told its name, where that is another one */
export function planStage(name: StageName, options: PlanOptions, told: string = name): PlannedStage {
  const { gpus, card, share, data, divideState = false } = options;
  const given = batchOf(options.preset, name);
  const whole = Math.ceil(given / gpus) * gpus;
  const preset = withBatch(options.preset, name, whole);
  const way: Way = { preset, gpus, divideState, streamed: data.streamed };
  const { need, memory } = needOf(name, way, options);
  const fits = memory.total <= card.memory * USABLE;
  const { steps } = optimisationOf(preset, name);
  const { inputs, targets } = picturesOf(preset, name);
  const products = need.flops / (card.rate * share);
  const calls = options.device === "cuda" ? need.calls * SECONDS_A_CALL : 0;
  const secondsPerStep = Math.max(products, calls);
  const gradients = (8 * need.trained * (gpus - 1)) / gpus / secondsPerStep; // a ring sends 2 (n − 1) / n of its bytes
  const checkpoint = need.trained * 4 + need.optimiser;
  const { keep } = preset.every;
  return {
    name: told,
    steps,
    batch: { whole, device: whole / gpus },
    trained: need.trained,
    frozen: need.frozen,
    memory,
    peak: need.peak,
    checkpoints: name === "flow" || name === "control" ? bothWays(name, way, options, memory) : undefined,
    fits,
    flops: need.flops * gpus,
    secondsPerStep,
    bound: calls > products ? "calls" : "products",
    hours: (secondsPerStep * steps) / 3600,
    picturesPerSecond: (inputs + targets) / secondsPerStep,
    disk: { checkpoint, kept: keep > 0 ? Math.floor(steps / keep) * checkpoint : 0, weights: need.trained * 4 },
    network: {
      pictures: ((inputs + targets) * readBytes(preset, name, data)) / secondsPerStep,
      gradients,
    },
    advice: [
      ...(whole === given ? [] : [`a batch of ${given} is not for ${gpus} devices: --batch ${whole}`]),
      ...(fits ? [] : advise(name, way, options, memory)),
      ...(gradients > LINK ? [SLOW_LINK] : []),
    ],
  };
}

function bothWays(name: StageName, way: Way, options: PlanOptions, memory: PlannedMemory) {
  const on = checkpointOf(way.preset, name);
  const other = needOf(name, { ...way, checkpoint: !on }, options).memory;
  return { on, with: on ? memory : other, without: on ? other : memory };
}
