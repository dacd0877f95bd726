import { availableParallelism } from "node:os";
import { compiledWorker, WorkerPool } from "../worker-pool.ts";
import type { Person } from "./person.ts";
import type { SyntheticImage } from "./render.ts";
import type { SceneImage, SceneJob } from "./scenes/render-scene.ts";

/** One rendered person. */
export interface SyntheticIdentity {
  /** `synth-000123` */
  id: string;
  person: Person;
  /** The usual pictures, then the scenes. */
  images: (SyntheticImage | SceneImage)[];
}

/** Without `scenes` none are drawn. */
export type SynthJob = Omit<SceneJob, "scenes"> & { scenes?: number };

/** The id of a rendered person: `synth-000123`. */
export const syntheticId = (identity: number) => `synth-${String(identity).padStart(6, "0")}`;

/** Renders people on worker threads. What comes out does not depend on their number. */
export class SynthPool {
  readonly #pool: WorkerPool<SynthJob, Omit<SyntheticIdentity, "id">>;

  constructor({ workers = availableParallelism() }: { workers?: number } = {}) {
    this.#pool = new WorkerPool(compiledWorker(import.meta.url, "worker.js"), workers);
  }

  /**
   * Renders one person as soon as a worker is free.
   * @throws what the worker met, such as a missing body model, and when the signal came before it began
   */
  async render(job: SynthJob, { signal }: { signal?: AbortSignal } = {}): Promise<SyntheticIdentity> {
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
