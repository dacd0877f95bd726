import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** What starts this program anew. */
export const BIN = fileURLToPath(new URL("../../bin/omni-id.mjs", import.meta.url));

/**
 * Another command of `omni-id` in a process and a process group of its own: Ctrl-C would reach it from the terminal and
 * from us, and twice means at once. By the channel it learns when we are gone, and stops in good order.
 * @param env beside this process's environment
 */
export function startCommand(words: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  return spawn(process.execPath, [BIN, ...words], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    detached: true,
    env: { ...process.env, ...env },
  });
}
