import { randomUUID } from "node:crypto";
import { type Answer, type Asked, Cancelled, type TaskName, type TaskProgress } from "../engine/tasks.ts";
import type { TaskRunner } from "../engine/thread.ts";

/** More work than the queue takes: come again later. */
export class QueueFull extends Error {
  constructor(waiting: number) {
    super(`${waiting} requests are waiting already; try again in a while`);
    this.name = "QueueFull";
  }
}

export interface JobListener {
  /** @param place how many others are before it */
  onPlace?: (job: string, place: number) => void;
  onProgress?: (progress: TaskProgress) => void;
}

interface Job {
  id: string;
  controller: AbortController;
  listener: JobListener;
  work: () => Promise<void>;
  drop: () => void;
}

/** One task at a time, the others in the order in which they came; each can be cancelled, waiting or at work. */
export class JobQueue {
  readonly #runner: TaskRunner;
  readonly #most: number;
  #waiting: Job[] = [];
  #current: Job | undefined;

  /** @param most jobs that may wait */
  constructor(runner: TaskRunner, { most = 20 }: { most?: number } = {}) {
    this.#runner = runner;
    this.#most = most;
  }

  get length(): number {
    return this.#waiting.length + Number(this.#current !== undefined);
  }

  /** Whether one more job may come; asked before a request's body is read. @throws {QueueFull} */
  checkRoom(): void {
    if (this.#waiting.length >= this.#most) throw new QueueFull(this.#waiting.length);
  }

  /**
   * @throws {QueueFull} when too many wait
   * @throws {Cancelled} when it was cancelled, here or by the signal
   */
  run<Name extends TaskName>(
    task: Name,
    asked: Asked<Name>,
    { signal, ...listener }: JobListener & { signal?: AbortSignal } = {},
  ): Promise<Answer<Name>> {
    this.checkRoom();
    const controller = new AbortController();
    const onProgress = (progress: TaskProgress) => listener.onProgress?.(progress);
    return new Promise<Answer<Name>>((resolve, reject) => {
      const job: Job = {
        id: randomUUID(),
        controller,
        listener,
        work: async () => {
          try {
            resolve(await this.#runner.run(task, asked, { signal: controller.signal, onProgress }));
          } catch (error) {
            reject(error as Error);
          }
        },
        drop: () => reject(new Cancelled()),
      };
      if (signal?.aborted) return job.drop();
      signal?.addEventListener("abort", () => this.cancel(job.id), { once: true });
      this.#waiting.push(job);
      listener.onPlace?.(job.id, this.length - 1);
      this.#next();
    });
  }

  /** @returns whether there was such a job */
  cancel(id: string): boolean {
    const waiting = this.#waiting.find((job) => job.id === id);
    if (waiting) {
      this.#waiting = this.#waiting.filter((job) => job !== waiting);
      waiting.drop();
      this.#tellPlaces();
      return true;
    }
    if (this.#current?.id !== id) return false;
    this.#current.controller.abort();
    return true;
  }

  #next(): void {
    if (this.#current) return;
    const job = this.#waiting.shift();
    if (!job) return;
    this.#current = job;
    this.#tellPlaces();
    void job.work().finally(() => {
      this.#current = undefined;
      this.#next();
    });
  }

  #tellPlaces(): void {
    for (const [i, job] of this.#waiting.entries()) job.listener.onPlace?.(job.id, i + 1);
  }
}
