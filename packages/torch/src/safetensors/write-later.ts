import { Worker } from "node:worker_threads";
import { noGrad } from "../autograd.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { bytesOf, layOut } from "./write.ts";

/** What the thread is told. */
export interface WriteJob {
  path: string;
  parts: Uint8Array[];
}

/** What the thread answers. */
interface WriteAnswer {
  failed?: Pick<NodeJS.ErrnoException, "message" | "code" | "errno" | "syscall" | "path">;
}

/** The compiled file: the sources run it too (tests), once the package is built. */
const WORKER = new URL(
  "write-worker.js",
  import.meta.url.endsWith(".ts") ? import.meta.url.replace(/^(.*)\/src\//, "$1/dist/") : import.meta.url,
);

/**
 * As `saveSafetensors`, beside whatever comes next: when this returns the tensors' bytes are copied, and may change; a
 * thread writes them. Until it is done the copy takes as much memory as the tensors.
 * @returns resolves when the file is in its place
 * @throws rejects with the system's error, whose `path` is the file that was asked for; what was there before stays
 */
export function saveSafetensorsLater(
  path: string,
  tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
  options: { metadata?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  const { head, laid } = layOut(tensors, options);
  const copies = laid.map(({ tensor }) => scope(() => noGrad(() => bytesOf(tensor).slice())));
  const job: WriteJob = { path, parts: [head, ...copies] };
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORKER, {
      workerData: job,
      transferList: copies.map(({ buffer }) => buffer as ArrayBuffer),
      execArgv: [],
    });
    let answer: WriteAnswer | undefined;
    worker.on("message", (told: WriteAnswer) => {
      answer = told;
    });
    worker.on("error", reject);
    worker.on("exit", () => {
      if (answer?.failed) reject(Object.assign(new Error(answer.failed.message), answer.failed));
      else if (answer) resolve();
      else reject(new Error(`${path}: the thread that wrote it ended too early`));
    });
  });
}
