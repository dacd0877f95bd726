import type { FromWorker, ToWorker, WorkerTask } from "../engine/messages.ts";
import { BrowserModels } from "./models.ts";

/** Browser mode's engine in its worker: tasks one after the other, each of which can be cancelled. */

declare const self: DedicatedWorkerGlobalScope;

const models = new BrowserModels();
const running = new Map<number, AbortController>();
let last: Promise<unknown> = Promise.resolve();

self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind === "cancel") {
    running.get(data.number)?.abort();
    return;
  }
  const controller = new AbortController();
  running.set(data.number, controller);
  last = last.then(() => run(data, controller.signal)).finally(() => running.delete(data.number));
});

async function run({ number, task, asked }: Extract<ToWorker, { kind: "start" }>, signal: AbortSignal): Promise<void> {
  const post = (message: FromWorker) => self.postMessage(message);
  try {
    signal.throwIfAborted();
    const work = models[task as WorkerTask] as (asked: unknown, context: object) => Promise<unknown>;
    const context = {
      signal,
      progress: (progress: Extract<FromWorker, { kind: "progress" }>["progress"]) =>
        post({ kind: "progress", number, progress }),
    };
    post({ kind: "done", number, answer: await work.call(models, asked, context) });
  } catch (error) {
    const { message } = error as Error;
    post({ kind: "failed", number, message: message || String(error), cancelled: signal.aborted });
  }
}
