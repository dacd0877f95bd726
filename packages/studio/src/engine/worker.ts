import { parentPort, workerData } from "node:worker_threads";
import { setDefaultDevice } from "@omni-id/torch";
import { NodeEngine } from "./node-engine.ts";
import { Cancelled, type TaskContext, type TaskName, type TaskProgress } from "./tasks.ts";

/** The engine's thread: one task after the other; the server's own thread stays free to tell of it. */

export interface WorkerSettings {
  weights?: string;
  device: string;
  /** One number that is not 0 when the task at work shall end. */
  cancel: SharedArrayBuffer;
}

export interface Order {
  number: number;
  task: TaskName;
  asked: unknown;
}

export type Report =
  | { number: number; kind: "progress"; progress: TaskProgress }
  | { number: number; kind: "done"; answer: unknown }
  | { number: number; kind: "failed"; message: string; cancelled: boolean };

const port = parentPort;
if (!port) throw new Error("this file is the engine's thread; the studio starts it");
const { weights, device, cancel } = workerData as WorkerSettings;
const flag = new Int32Array(cancel);
let engine: NodeEngine | undefined;

port.on("message", async ({ number, task, asked }: Order) => {
  const post = (report: Report) => port.postMessage(report);
  const context: TaskContext = {
    progress: (progress) => {
      if (Atomics.load(flag, 0) !== 0) throw new Cancelled();
      post({ number, kind: "progress", progress });
    },
  };
  try {
    if (!engine) {
      if (device !== "cpu") setDefaultDevice(device);
      engine = await NodeEngine.open(weights);
    }
    const run = engine[task] as (asked: unknown, context: TaskContext) => Promise<unknown>;
    post({ number, kind: "done", answer: await run.call(engine, asked, context) });
  } catch (error) {
    const { message } = error as Error;
    post({ number, kind: "failed", message, cancelled: error instanceof Cancelled });
  }
});
