import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { EXIT, Interrupted, interruptible } from "./output.ts";
import { startCommand } from "./own-process.ts";

/** A command of `omni-id` that other ones wait for, or that waits for others. */
export interface Part {
  name: string;
  /** Names of the parts that have to be done before. */
  needs: readonly string[];
  /** Arguments of the command. */
  args: readonly string[];
  done: () => boolean;
}

/**
 * Runs parts in processes of their own, `atOnce` at a time, each as soon as what it needs is done; their lines are told
 * under their names. Parts that are done already are left out.
 * @throws Interrupted after Ctrl-C, and an Error when a part fails: the other ones are told to save and stop before
 */
export async function runParts(parts: readonly Part[], { atOnce }: { atOnce: number }): Promise<void> {
  const running = new Map<string, ChildProcess>();
  const ended = new Set(parts.filter((part) => part.done()).map(({ name }) => name));
  let failed: string | undefined;
  let stopping = false;
  const stopAll = () => {
    if (!stopping) for (const child of running.values()) child.kill("SIGTERM"); // twice would mean at once
    stopping = true;
  };
  const { signal, release } = interruptible();
  signal.addEventListener("abort", stopAll);
  if (signal.aborted) stopAll();
  const width = Math.max(...parts.map(({ name }) => name.length));
  try {
    await new Promise<void>((resolve) => {
      const next = () => {
        for (const part of stopping ? [] : parts) {
          const ready = part.needs.every((need) => ended.has(need)) && !ended.has(part.name) && !running.has(part.name);
          if (!ready || running.size >= atOnce) continue;
          const child = start(part, width);
          running.set(part.name, child);
          child.on("close", (code) => {
            running.delete(part.name);
            if (code === EXIT.done && part.done()) ended.add(part.name);
            else {
              if (!stopping) failed = part.name;
              stopAll();
            }
            next();
          });
        }
        if (running.size === 0) resolve();
      };
      next();
    });
  } finally {
    release();
  }
  if (signal.aborted) throw new Interrupted();
  if (failed) throw new Error(`${failed} failed, as told above; what is done stays, and the same command goes on`);
}

/** Its lines are told under its name. */
function start({ name, args }: Part, width: number): ChildProcess {
  const child = startCommand(args);
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface(stream).on("line", (line) => process.stderr.write(`${name.padEnd(width)} │ ${line}\n`));
  }
  return child;
}
