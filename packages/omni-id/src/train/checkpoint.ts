import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { loadSafetensors, type nn, saveSafetensorsLater, scope, type Tensor } from "@omni-id/torch";
import type { Optimisers } from "./optimisers.ts";

export interface CheckpointInfo {
  stage: string;
  /** Steps done. */
  step: number;
  seed: number;
  /** The preset as JSON. */
  preset: string;
}

const LAST = "last.safetensors";
const keptName = (step: number) => `step-${String(step).padStart(6, "0")}.safetensors`;

/** A checkpoint on its way to the disk. */
export interface SavedCheckpoint {
  file: string;
  /** Resolves when the file is whole and in its place; rejects with the system's error. */
  written: Promise<void>;
}

/**
 * Writes all that a run is (weights, optimisers, average) into one file, beside the steps that follow: what is saved is
 * what stands when this returns. The file appears by rename: a run that is killed while saving still has its previous
 * checkpoint. Of several processes all have to call this, and one writes.
 */
export function saveCheckpoint(
  folder: string,
  info: CheckpointInfo,
  model: nn.Module,
  optimisers: Optimisers,
  { keep = false, writes = true }: { keep?: boolean; writes?: boolean } = {},
): SavedCheckpoint {
  const file = join(folder, keep ? keptName(info.step) : LAST);
  let written = Promise.resolve();
  scope(() => {
    const tensors = new Map<string, Tensor>();
    for (const [key, tensor] of model.stateDict()) tensors.set(`model.${key}`, tensor);
    for (const [key, tensor] of optimisers.stateTensors()) tensors.set(key, tensor);
    if (!writes) return;
    written = saveSafetensorsLater(file, tensors, {
      metadata: { stage: info.stage, step: String(info.step), seed: String(info.seed), preset: info.preset },
    });
  });
  return { file, written };
}

/**
 * Puts a checkpoint's state into `model` and `optimisers`.
 * @throws when the file is no checkpoint of this stage, or its tensors do not fit
 */
export function loadCheckpoint(file: string, stage: string, model: nn.Module, optimisers?: Optimisers): CheckpointInfo {
  return scope(() => {
    const { tensors, metadata } = loadSafetensors(file);
    if (metadata.stage !== stage || metadata.step === undefined || metadata.preset === undefined) {
      const what = metadata.stage ? `a checkpoint of stage "${metadata.stage}"` : "no training checkpoint";
      throw new Error(`${file}: this is ${what}, but a checkpoint of "${stage}" is wanted`);
    }
    const state = new Map<string, Tensor>();
    const rest = new Map<string, Tensor>();
    for (const [key, tensor] of tensors) {
      if (key.startsWith("model.")) state.set(key.slice("model.".length), tensor);
      else rest.set(key, tensor);
    }
    model.loadStateDict(state);
    optimisers?.loadStateTensors(rest);
    return { stage, step: Number(metadata.step), seed: Number(metadata.seed), preset: metadata.preset };
  });
}

/** The newest checkpoint of a run's folder, if it has one. */
export function lastCheckpoint(folder: string): string | undefined {
  if (!existsSync(folder)) return undefined;
  if (existsSync(join(folder, LAST))) return join(folder, LAST);
  const kept = readdirSync(folder).filter((name) => /^step-\d{6}\.safetensors$/.test(name));
  return kept.length > 0 ? join(folder, kept.sort()[kept.length - 1]) : undefined;
}
