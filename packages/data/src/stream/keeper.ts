import { Worker } from "node:worker_threads";
import { compiledWorker } from "../worker-pool.ts";
import type { Origin } from "./place.ts";

/** A shard that is to be brought here. */
export interface KeepJob {
  origin: Origin;
  name: string;
  sha256: string;
}

/**
 * Brings shards of a set that lies elsewhere to this machine, one after the other, beside everything else, until they take
 * as much of the disk as they may. What is not here is read from there, picture by picture.
 */
export class Keeper {
  readonly #worker: Worker;
  readonly #asked = new Set<string>();
  /** What could not be brought here, and why. */
  readonly troubles: string[] = [];

  /** @param bytes that shards may take on this machine */
  constructor(bytes: number) {
    this.#worker = new Worker(compiledWorker(import.meta.url, "keep-worker.js"), {
      workerData: { bytes },
      execArgv: [],
    });
    this.#worker.on("message", (trouble: string) => this.troubles.push(trouble));
    this.#worker.on("error", (error) => this.troubles.push(error.message));
    this.#worker.unref();
  }

  want(job: KeepJob): void {
    if (this.#asked.has(job.name)) return;
    this.#asked.add(job.name);
    this.#worker.postMessage(job);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
