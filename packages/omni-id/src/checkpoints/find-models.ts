import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Checkpoint } from "./checkpoint.ts";
import type { Family } from "./families.ts";
import { modelFilesIn } from "./model-file.ts";
import { openCheckpoint } from "./open.ts";

/** Folders below the models' own, as in a copy of a repository. */
const DEPTH = 3;

/**
 * Networks of a family in a folder and below it that can be loaded, whatever their files are called; what cannot be read
 * is passed over.
 */
export function checkpointsBelow(folder: string, family: Family): Checkpoint[] {
  return foldersBelow(folder, DEPTH)
    .flatMap((one) => modelFilesIn(one))
    .flatMap((path) => {
      try {
        return [openCheckpoint(path, family)];
      } catch {
        return [];
      }
    });
}

function foldersBelow(folder: string, depth: number): string[] {
  if (!existsSync(folder)) return [];
  const inside = depth === 0 ? [] : readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [folder, ...inside.flatMap(({ name }) => foldersBelow(join(folder, name), depth - 1))];
}
