import { parentPort } from "node:worker_threads";
import type { CutPerson, ShardSample, WorkerMessage } from "@omni-id/data";
import { type CutSettings, cutPerson } from "./cut-person.ts";

parentPort?.on("message", async ({ sample, settings }: { sample: ShardSample; settings: CutSettings }) => {
  let message: WorkerMessage<CutPerson>;
  try {
    message = { answer: await cutPerson(sample, settings) };
  } catch (error) {
    message = { error: `${sample.record.id}: ${(error as Error).message}` };
  }
  parentPort?.postMessage(message);
});
