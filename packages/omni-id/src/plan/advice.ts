import { cardsWith, USABLE } from "./cards.ts";
import { needOf, type PlannedMemory, type PlanOptions, type Way } from "./need.ts";
import type { StageName } from "./open-blank.ts";
import { checkpointOf } from "./rehearse-stage.ts";
import { batchOf, keyOf, withBatch } from "./sections.ts";

export const gigabytes = (bytes: number): string => {
  const value = bytes / 1e9;
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} GB`;
};

/** What to change for a stage that does not fit: each change alone, and what it comes to by rehearsing it. */
export function advise(name: StageName, way: Way, options: PlanOptions, memory: PlannedMemory): string[] {
  const room = options.card.memory * USABLE;
  const tell = (what: string, total: number) => `${what}: ${gigabytes(total)}${total <= room ? ", which fits" : ""}`;
  const total = (other: Partial<Way>) => needOf(name, { ...way, ...other }, options).memory.total;
  const advice: string[] = [];
  const key = keyOf(name);
  const missing = memory.total - room;
  const canCheckpoint = (name === "flow" || name === "control") && !checkpointOf(way.preset, name);
  if (!way.streamed && memory.data > missing / 2) {
    advice.push(tell("prepare the people to be streamed (omni-id data prepare)", total({ streamed: true })));
  }
  if (canCheckpoint) {
    const { flow } = way.preset;
    const part = name === "flow" ? "adapter" : "control";
    const preset = { ...way.preset, flow: { ...flow, [part]: { ...flow[part], checkpoint: true } } };
    advice.push(tell(`--set ${key}.checkpoint=true`, total({ preset, checkpoint: true })));
  }
  if (way.gpus > 1 && !way.divideState) advice.push(tell("--divide-state", total({ divideState: true })));
  const pieces = smallerPieces(name, way, room, total);
  if (pieces) advice.push(tell(`--batch-per-device ${pieces.each}, the rest of the batch in pieces`, pieces.total));
  const cards = cardsWith(memory.total / USABLE);
  if (cards.length > 0) advice.push(`cards with room for it: ${cards.join(", ")}`);
  return advice;
}

/** The largest half, quarter … of a device's share that fits; else one identity, if that helps. */
function smallerPieces(
  name: StageName,
  way: Way,
  room: number,
  total: (other: Partial<Way>) => number,
): { each: number; total: number } | undefined {
  let best: { each: number; total: number } | undefined;
  for (let each = Math.floor(batchOf(way.preset, name) / way.gpus / 2); each >= 1; each = Math.floor(each / 2)) {
    best = { each, total: total({ preset: withBatch(way.preset, name, each * way.gpus) }) };
    if (best.total <= room) return best;
  }
  return best;
}
