import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { Clip } from "../curate/clip.ts";

/** Marks photos whose very file stands under another person too: whose it is, nobody can tell. */
export function markTwins(clips: readonly Clip[]): Clip[] {
  const shared = new Set<Clip>();
  // Only files of one size are read: few are.
  for (const sameSize of several(clips, (clip) => sizeOf(clip.path))) {
    if (onePerson(sameSize)) continue;
    for (const same of several(sameSize, (clip) => hashOf(clip.path))) {
      if (!onePerson(same)) for (const clip of same) shared.add(clip);
    }
  }
  return clips.map((clip) => (shared.has(clip) ? { ...clip, twin: true } : clip));
}

const onePerson = (clips: readonly Clip[]) => clips.every(({ video }) => video === clips[0].video);

/** Groups of two and more. */
function several<T>(items: readonly T[], keyOf: (item: T) => string | number | undefined): T[][] {
  const groups = new Map<string | number, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size || undefined;
}

function hashOf(path: string): string | undefined {
  try {
    return createHash("sha256").update(readFileSync(path)).digest("hex");
  } catch {
    return undefined; // it will be told when it is looked at
  }
}
