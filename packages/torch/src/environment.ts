/** What is set in the process's environment before a native library is loaded that reads it. Needs no LibTorch. */
import { isMainThread } from "node:worker_threads";
import { loadAddon } from "./addon.ts";

/**
 * Sets a variable in the environment of the whole process. In the main thread `process.env` is that environment; in a
 * worker thread it is a copy, which native libraries never see.
 */
export function setProcessEnvironment(name: string, value: string): void {
  process.env[name] = value;
  if (isMainThread) return;
  const { set } = loadAddon("process_environment") as { set(name: string, value: string): void };
  set(name, value);
}

/**
 * Switches off the telemetry of ONNX Runtime in this process; call it before `onnxruntime-node` is loaded. From 1.30 on
 * it keeps a device id and a queue of events in `~/.cache/Microsoft` and looks up a host to send them to after ten
 * seconds, unless this variable is set when its first session opens.
 */
export function keepOnnxRuntimeQuiet(): void {
  setProcessEnvironment("ORT_DISABLE_TELEMETRY", "1");
}
