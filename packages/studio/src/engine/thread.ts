import { Worker } from "node:worker_threads";
import { compiledWorker } from "@omni-id/data";
import { type Answer, type Asked, Cancelled, type TaskName, type TaskProgress } from "./tasks.ts";
import type { Order, Report, WorkerSettings } from "./worker.ts";

export interface EngineSettings {
  /** Folder of the weights; the shipped ones when absent. */
  weights?: string;
  /** "cpu" or "cuda". */
  device?: string;
  /** How long a cancelled task may go on before its thread is ended, in milliseconds. */
  patience?: number;
  /** The file that runs in the thread; tests name another. */
  file?: URL;
}

/** What runs tasks; the queue gives it one at a time. */
export interface TaskRunner {
  run<Name extends TaskName>(
    task: Name,
    asked: Asked<Name>,
    options?: { signal?: AbortSignal; onProgress?: (progress: TaskProgress) => void },
  ): Promise<Answer<Name>>;
  close(): Promise<void>;
}

const PATIENCE = 15_000;

/** The engine in a thread of its own: one task at a time, which can be cancelled, and whose death ends nothing else. */
export class EngineThread implements TaskRunner {
  readonly #settings: EngineSettings;
  readonly #flag = new Int32Array(new SharedArrayBuffer(4));
  #worker: Worker | undefined;
  #number = 0;

  constructor(settings: EngineSettings = {}) {
    this.#settings = settings;
  }

  /** @throws {Cancelled} after the signal; an Error for a person when the task failed */
  async run<Name extends TaskName>(
    task: Name,
    asked: Asked<Name>,
    { signal, onProgress }: { signal?: AbortSignal; onProgress?: (progress: TaskProgress) => void } = {},
  ): Promise<Answer<Name>> {
    if (signal?.aborted) throw new Cancelled();
    Atomics.store(this.#flag, 0, 0);
    const worker = this.#start();
    const order: Order = { number: ++this.#number, task, asked };
    const { promise, resolve, reject } = withResolvers<Answer<Name>>();
    let timer: NodeJS.Timeout | undefined;
    const cancel = () => {
      Atomics.store(this.#flag, 0, 1);
      timer = setTimeout(() => this.#end(worker), this.#settings.patience ?? PATIENCE);
    };
    const onMessage = (report: Report) => {
      if (report.number !== order.number) return;
      if (report.kind === "progress") onProgress?.(report.progress);
      else if (report.kind === "done") resolve(report.answer as Answer<Name>);
      else reject(report.cancelled ? new Cancelled() : new Error(report.message));
    };
    const onError = (error: Error) => reject(new Error(`the engine's thread failed: ${error.message}; try again`));
    const onExit = () => reject(signal?.aborted ? new Cancelled() : new Error("the engine's thread ended; try again"));
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    signal?.addEventListener("abort", cancel, { once: true });
    worker.postMessage(order);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
    }
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }

  #start(): Worker {
    if (this.#worker) return this.#worker;
    const { weights, device = "cpu", file = compiledWorker(import.meta.url, "worker.js") } = this.#settings;
    const workerData: WorkerSettings = { weights, device, cancel: this.#flag.buffer as SharedArrayBuffer };
    const worker = new Worker(file, { workerData });
    const forget = () => {
      if (this.#worker === worker) this.#worker = undefined;
    };
    worker.on("error", forget).on("exit", forget);
    // A thread that waits for work keeps no process alive.
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  #end(worker: Worker): void {
    if (this.#worker === worker) this.#worker = undefined;
    void worker.terminate();
  }
}

function withResolvers<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: Error) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
