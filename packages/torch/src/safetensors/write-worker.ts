import { parentPort, workerData } from "node:worker_threads";
import { writeAtomically } from "../atomic-file.ts";
import type { WriteJob } from "./write-later.ts";

const { path, parts } = workerData as WriteJob;

/** Each part is let go once it is written. */
function* passing(): Generator<Uint8Array> {
  for (const i of parts.keys()) {
    yield parts[i];
    parts[i] = new Uint8Array();
  }
}

try {
  writeAtomically(path, passing());
  parentPort?.postMessage({});
} catch (error) {
  // An error between threads keeps its message alone.
  const { message, code, errno, syscall, path: file } = error as NodeJS.ErrnoException;
  parentPort?.postMessage({ failed: { message, code, errno, syscall, path: file } });
}
