import { decoderAgain } from "../train/decoder-again.ts";
import { type PlannedData, preparedBytes } from "./data.ts";
import type { PlanOptions } from "./need.ts";
import { stagesOf } from "./open-blank.ts";
import { type PlannedStage, planStage } from "./plan-stage.ts";

export interface Plan {
  preset: string;
  /** Bytes of memory, and floating-point operations a second, of each; `share` of the rate is reckoned with. */
  device: { name: string; count: number; memory: number; rate: number; share: number; precision: string };
  data: PlannedData;
  stages: PlannedStage[];
  hours: number;
  /** Bytes: the shards, what is prepared of them, and what all stages leave behind. */
  disk: { shards: number; prepared: number; runs: number; total: number };
}

/** What a preset's training takes, stage by stage; each is rehearsed (see `rehearse` of the torch package). */
export function makePlan(options: PlanOptions): Plan {
  const { preset, card, gpus, share, data, precision } = options;
  const stages = stagesOf(preset).map((name) => planStage(name, options));
  if (preset.flow.adapter.encoderRate > 0) {
    stages.push(planStage("mtd", { ...options, preset: decoderAgain(preset) }, "mtd-decoder"));
  }
  const sum = (of: (stage: PlannedStage) => number) => stages.reduce((all, stage) => all + of(stage), 0);
  const shards = data.bytes ?? 0;
  const prepared = preparedBytes(preset, data);
  const runs = sum(({ disk }) => disk.checkpoint + disk.kept + disk.weights);
  return {
    preset: preset.name,
    device: { name: card.name, count: gpus, memory: card.memory, rate: card.rate, share, precision },
    data,
    stages,
    hours: sum(({ hours }) => hours),
    disk: { shards, prepared, runs, total: shards + prepared + runs },
  };
}
