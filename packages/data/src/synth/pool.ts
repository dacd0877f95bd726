import { cpus } from "node:os";
import { Worker } from "node:worker_threads";
import type { Person } from "./person.ts";
import type { RenderJob, SyntheticImage } from "./render.ts";

/** One rendered person. */
export interface SyntheticIdentity {
  /** `synth-000123` */
  id: string;
  person: Person;
  images: SyntheticImage[];
}

interface Job extends RenderJob {
  images: number;
}

type Answer = { person: Person; images: SyntheticImage[] } | { error: string };

/** The compiled worker; the sources run it too (tests), once the package is built. */
function workerFile(): URL {
  const here = import.meta.url;
  return here.endsWith(".ts")
    ? new URL(here.replace("/src/", "/dist/").replace(/pool\.ts.*$/, "worker.js"))
    : new URL("worker.js", here);
}

/** The id of a rendered person: `synth-000123`. */
export const syntheticId = (identity: number) => `synth-${String(identity).padStart(6, "0")}`;

/** Renders people on worker threads. What comes out does not depend on their number. */
export class SynthPool {
  readonly #idle: Worker[];
  readonly #waiting: ((worker: Worker) => void)[] = [];
  readonly #all: Worker[];

  constructor({ workers = Math.max(1, cpus().length) }: { workers?: number } = {}) {
    this.#all = Array.from({ length: workers }, () => new Worker(workerFile()));
    this.#idle = [...this.#all];
  }

  /**
   * Renders one person as soon as a worker is free.
   * @throws what the worker met, such as a missing body model, and when the signal came before it began
   */
  async render(job: Job, { signal }: { signal?: AbortSignal } = {}): Promise<SyntheticIdentity> {
    const worker = this.#idle.pop() ?? (await new Promise<Worker>((resolve) => this.#waiting.push(resolve)));
    try {
      signal?.throwIfAborted();
      const answer = await ask(worker, job);
      if ("error" in answer) throw new Error(`person ${job.identity}: ${answer.error}`);
      return { id: syntheticId(job.identity), ...answer };
    } finally {
      const next = this.#waiting.shift();
      if (next) next(worker);
      else this.#idle.push(worker);
    }
  }

  /** Ends the workers; what they are rendering is lost. */
  async close(): Promise<void> {
    await Promise.all(this.#all.map((worker) => worker.terminate()));
  }
}

function ask(worker: Worker, job: Job): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const done = (finish: () => void) => {
      worker.off("message", onMessage);
      worker.off("error", onError);
      finish();
    };
    const onMessage = (answer: Answer) => done(() => resolve(answer));
    const onError = (error: Error) => done(() => reject(error));
    worker.on("message", onMessage);
    worker.on("error", onError);
    worker.postMessage(job);
  });
}
