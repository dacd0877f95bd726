import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import type { KeepJob } from "./keeper.ts";
import { Place } from "./place.ts";

const { bytes: most } = workerData as { bytes: number };

/** Bytes that a set's shards take here. */
function taken(folder: string): number {
  mkdirSync(folder, { recursive: true });
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, { name, parentPath }) => sum + statSync(join(parentPath, name)).size, 0);
}

async function keep({ origin, name, sha256 }: KeepJob): Promise<void> {
  const place = new Place(origin);
  const path = place.path(name);
  if (existsSync(path) || taken(origin.folder) >= most) return;
  try {
    await place.remote?.download(name, path, sha256);
  } catch (error) {
    // Its pictures are still read from there; if these cannot be had either, the run is told of that.
    parentPort?.postMessage((error as Error).message);
  }
}

let before: Promise<void> = Promise.resolve();
parentPort?.on("message", (job: KeepJob) => {
  before = before.then(() => keep(job));
});
