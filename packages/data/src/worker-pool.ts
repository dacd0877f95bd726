import { Worker } from "node:worker_threads";

/** What a worker posts: the answer to its job, an error in words, or how far it is. */
export type WorkerMessage<Answer, Progress = never> = { answer: Answer } | { error: string } | { progress: Progress };

/** The compiled file beside a source; the sources run it too (tests), once the package is built. */
export function compiledWorker(url: string, name: string): URL {
  const here = url.endsWith(".ts") ? url.replace(/^(.*)\/src\//, "$1/dist/") : url;
  return new URL(name, here);
}

/** Gives jobs to worker threads, each as soon as one is free, in the order they were asked for. */
export class WorkerPool<Job, Answer, Progress = never> {
  readonly #file: URL;
  readonly #idle: Worker[];
  readonly #all = new Set<Worker>();
  #waiting: { take: (worker: Worker) => void; refuse: (error: Error) => void }[] = [];
  #closed = false;

  constructor(file: URL, workers: number) {
    this.#file = file;
    this.#idle = Array.from({ length: workers }, () => this.#start());
  }

  /** @throws what the worker met, with its message; {@link WorkerEnded} when the pool was closed meanwhile; when the signal came before the job began */
  async run(
    job: Job,
    { onProgress, signal }: { onProgress?: (progress: Progress) => void; signal?: AbortSignal } = {},
  ): Promise<Answer> {
    if (this.#closed) throw new WorkerEnded();
    const worker =
      this.#idle.pop() ?? (await new Promise<Worker>((take, refuse) => this.#waiting.push({ take, refuse })));
    try {
      signal?.throwIfAborted();
      return await ask<Job, Answer, Progress>(worker, job, onProgress);
    } finally {
      if (!this.#closed) this.#free(this.#all.has(worker) ? worker : this.#start());
    }
  }

  /** Ends all workers, whatever they do. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { refuse } of this.#waiting) refuse(new WorkerEnded());
    this.#waiting = [];
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #start(): Worker {
    const worker = new Worker(this.#file);
    worker.once("exit", () => this.#all.delete(worker)); // one that broke down is replaced
    this.#all.add(worker);
    return worker;
  }

  #free(worker: Worker): void {
    const next = this.#waiting.shift();
    if (next) next.take(worker);
    else this.#idle.push(worker);
  }
}

function ask<Job, Answer, Progress>(
  worker: Worker,
  job: Job,
  onProgress?: (progress: Progress) => void,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const done = (finish: () => void) => {
      worker.off("message", onMessage);
      worker.off("error", onError);
      worker.off("exit", onExit);
      finish();
    };
    const onMessage = (message: WorkerMessage<Answer, Progress>) => {
      if ("progress" in message) onProgress?.(message.progress);
      else if ("error" in message) done(() => reject(new Error(message.error)));
      else done(() => resolve(message.answer));
    };
    const onError = (error: Error) => done(() => reject(error));
    const onExit = () => done(() => reject(new WorkerEnded()));
    worker.on("message", onMessage);
    worker.on("error", onError);
    worker.on("exit", onExit);
    worker.postMessage(job);
  });
}

/** The pool was closed before a job was done. */
export class WorkerEnded extends Error {
  constructor() {
    super("the worker was ended");
  }
}
