import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A video that was taken out of a set; it does not come back with the next run. */
export interface Removal {
  video: string;
  /** When, ISO 8601. */
  date: string;
  identities: number;
}

export const removalsFile = (out: string) => join(out, "removed.json");

export function readRemovals(out: string): Removal[] {
  const path = removalsFile(out);
  if (!existsSync(path)) return [];
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Removal[];
  } catch {
    throw new Error(`${path}: damaged; it lists whom not to take in again, so restore it before going on`);
  }
}

export const removedVideos = (out: string): Set<string> => new Set(readRemovals(out).map(({ video }) => video));
