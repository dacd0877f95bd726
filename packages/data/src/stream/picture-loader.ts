import { Worker } from "node:worker_threads";
import { compiledWorker } from "../worker-pool.ts";
import type { Origin } from "./place.ts";

/** A picture inside a shard. */
export interface PictureEntry {
  shard: string;
  offset: number;
  size: number;
}

/** Pictures of one size that a thread reads and decodes, one after the other. */
export interface LoadJob {
  number: number;
  origin: Origin;
  entries: readonly PictureEntry[];
  /** Pixels along each side. */
  side: number;
  /** A face mask is one byte a pixel, 0 or 1; a picture is three. */
  mask: boolean;
}

export type LoadAnswer = { number: number; bytes: Uint8Array } | { number: number; error: string };

/**
 * Threads that read and decode pictures. Each is told all that it has to do when it is asked for, so that it goes on while
 * the thread that asked computes.
 */
export class PictureLoader {
  readonly #workers: { worker: Worker; pending: number }[];
  readonly #waiting = new Map<number, { resolve: (bytes: Uint8Array) => void; reject: (error: Error) => void }>();
  #asked = 0;
  #broken: Error | undefined;

  constructor(workers: number) {
    const file = compiledWorker(import.meta.url, "picture-worker.js");
    this.#workers = Array.from({ length: workers }, () => {
      const own = { worker: new Worker(file, { execArgv: [] }), pending: 0 };
      own.worker.on("message", (answer: LoadAnswer) => {
        if (--own.pending === 0) own.worker.unref();
        const waiting = this.#waiting.get(answer.number);
        this.#waiting.delete(answer.number);
        if ("error" in answer) waiting?.reject(new Error(answer.error));
        else waiting?.resolve(answer.bytes);
      });
      own.worker.on("error", (error) => this.#break(error));
      own.worker.on("exit", () => this.#break(new Error("the thread that decodes pictures was ended")));
      own.worker.unref();
      return own;
    });
  }

  /**
   * Pictures of one size, interleaved, in parts that follow each other: `side · side · 3` bytes each, masks
   * `side · side`.
   * @throws rejects with one line that names the picture when one cannot be had or decoded
   */
  load(origin: Origin, entries: readonly PictureEntry[], how: { side: number; mask?: boolean }): Promise<Uint8Array[]> {
    const share = Math.ceil(entries.length / this.#workers.length);
    const parts: Promise<Uint8Array>[] = [];
    for (let from = 0; from < entries.length; from += share) {
      // Whoever has least to do gets the next part.
      const [own] = [...this.#workers].sort((a, b) => a.pending - b.pending);
      const { side, mask = false } = how;
      const number = this.#asked++;
      const job: LoadJob = { number, origin, entries: entries.slice(from, from + share), side, mask };
      parts.push(
        new Promise((resolve, reject) => {
          if (this.#broken) return reject(this.#broken);
          this.#waiting.set(number, { resolve, reject });
          if (own.pending++ === 0) own.worker.ref();
          own.worker.postMessage(job);
        }),
      );
    }
    return Promise.all(parts);
  }

  async close(): Promise<void> {
    this.#broken ??= new Error("the loader of pictures was closed");
    await Promise.all(this.#workers.map(({ worker }) => worker.terminate()));
  }

  #break(error: Error): void {
    this.#broken ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#broken);
    this.#waiting.clear();
  }
}
