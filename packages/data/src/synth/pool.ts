import { availableParallelism } from "node:os";
import { compiledWorker, WorkerPool } from "../worker-pool.ts";
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

/** The id of a rendered person: `synth-000123`. */
export const syntheticId = (identity: number) => `synth-${String(identity).padStart(6, "0")}`;

/** Renders people on worker threads. What comes out does not depend on their number. */
export class SynthPool {
  readonly #pool: WorkerPool<Job, { person: Person; images: SyntheticImage[] }>;

  constructor({ workers = availableParallelism() }: { workers?: number } = {}) {
    this.#pool = new WorkerPool(compiledWorker(import.meta.url, "worker.js"), workers);
  }

  /**
   * Renders one person as soon as a worker is free.
   * @throws what the worker met, such as a missing body model, and when the signal came before it began
   */
  async render(job: Job, { signal }: { signal?: AbortSignal } = {}): Promise<SyntheticIdentity> {
    try {
      return { id: syntheticId(job.identity), ...(await this.#pool.run(job, { signal })) };
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Error(`person ${job.identity}: ${(error as Error).message}`);
    }
  }

  /** Ends the workers; what they are rendering is lost. */
  close(): Promise<void> {
    return this.#pool.close();
  }
}
