import type { DType } from "@omni-id/torch";
import type { Preset } from "../presets/schema.ts";
import type { Card } from "./cards.ts";
import { type PlannedData, pictureMemory } from "./data.ts";
import type { StageName } from "./open-blank.ts";
import { rehearseStage, type StageNeed } from "./rehearse-stage.ts";

export interface PlanOptions {
  preset: Preset;
  card: Card;
  /** The processor instead of a card. */
  device: "cpu" | "cuda";
  /** How many devices share each batch. */
  gpus: number;
  precision: Extract<DType, "bfloat16" | "float32">;
  data: PlannedData;
  /** Share of the card's rate that a step reaches: an assumption, or what was measured. */
  share: number;
  /** Divide the optimisers' state among the devices (ZeRO-1). */
  divideState?: boolean;
}

/** Bytes on one device, by kind; the total is their sum. */
export interface PlannedMemory {
  weights: number;
  /** With several devices twice: what they exchange are copies. */
  gradients: number;
  /** What the optimisers remember, and the moving average of the weights. */
  optimiser: number;
  /** All that a step makes on its way, at most. */
  activations: number;
  /** Pictures. */
  data: number;
  total: number;
}

/** A way of training a stage that can be asked for what it takes. */
export interface Way {
  preset: Preset;
  gpus: number;
  divideState: boolean;
  streamed: boolean;
  /** Whether the flow model's blocks keep their inputs only. */
  checkpoint?: boolean;
}

/** What a device needs for a way of training a stage. */
export function needOf(
  name: StageName,
  { preset, gpus, divideState, streamed, checkpoint }: Way,
  { device, precision, data }: PlanOptions,
): { need: StageNeed; memory: PlannedMemory } {
  const need = rehearseStage({ name, preset, device, precision, devices: gpus, checkpoint });
  const { weights, gradients, optimiser: all, average, activations } = need;
  const optimiser = divideState ? average + (all - average) / gpus : all;
  const pictures = pictureMemory(preset, name, { ...data, streamed }, gpus);
  const total = weights + gradients + optimiser + activations + pictures;
  return { need, memory: { weights, gradients, optimiser, activations, data: pictures, total } };
}
