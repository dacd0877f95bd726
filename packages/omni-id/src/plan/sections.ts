import type { Preset } from "../presets/schema.ts";
import type { StageName } from "./open-blank.ts";

const KEYS: Readonly<Record<StageName, string>> = {
  mtd: "mtd",
  base: "flow.base",
  flow: "flow.adapter",
  control: "flow.control",
};

/** Where a stage's values stand in a preset. */
export const keyOf = (name: StageName): string => KEYS[name];

export function batchOf({ mtd, flow }: Preset, name: StageName): number {
  return name === "mtd" ? mtd.batch : name === "flow" ? flow.adapter.batch : flow[name].batch;
}

/** A preset whose stage has another batch. */
export function withBatch(preset: Preset, name: StageName, batch: number): Preset {
  const { mtd, flow } = preset;
  if (name === "mtd") return { ...preset, mtd: { ...mtd, batch } };
  if (name === "flow") return { ...preset, flow: { ...flow, adapter: { ...flow.adapter, batch } } };
  return { ...preset, flow: { ...flow, [name]: { ...flow[name], batch } } };
}
