import { createRequire } from "node:module";
import { printableText } from "../pictures/printable.ts";

export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** The command line itself is wrong: exit code 2, not 1. */
export class UsageError extends Error {}

/** Ctrl-C ended a command in good order. `omni-id data synth && omni-id train` must not go on then: exit code 130. */
export class Interrupted extends Error {}

/** One line (or a few) that tells a person what went wrong; the stack only with OMNI_ID_DEBUG=1. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, path } = error as NodeJS.ErrnoException;
  const told = code ? systemError(code, path) : undefined;
  const text = told ? `${told} (${error.message})` : error.message;
  return printableText(process.env.OMNI_ID_DEBUG === "1" ? `${text}\n${error.stack ?? ""}` : text);
}

function systemError(code: string, path = "a file"): string | undefined {
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return `the disk is full while writing ${path}; free some space and run the same command again`;
    case "EACCES":
    case "EPERM":
      return `no permission for ${path}; choose another place, or change its rights`;
    case "EROFS":
      return `${path} lies where nothing can be written; choose another place`;
    case "ENOENT":
      return `${path} does not exist`;
    case "EISDIR":
      return `${path} is a folder, and a file was expected`;
    case "ENOTDIR":
    case "EEXIST":
      return `${path} cannot be made: a file stands where a folder should be`;
    case "ENAMETOOLONG":
      return `${path}: the name is longer than the system allows; choose a shorter one`;
    case "ELOOP":
      return `${path} is a loop of links; name the file itself`;
    case "EMFILE":
      return "too many files are open; raise the limit with: ulimit -n 4096";
    default:
      return undefined;
  }
}

/**
 * Prints a result: JSON for machines, else lines for people.
 * @param told.file what the command wrote: where that was stdout itself, the result goes to stderr
 */
export function print(result: unknown, told: { json?: boolean; text: string; file?: string }): void {
  const isStdout = told.file !== undefined && /^\/(dev\/stdout|(dev|proc\/self)\/fd\/1)$/.test(told.file);
  (isStdout ? process.stderr : process.stdout).write(
    `${told.json ? JSON.stringify(result, null, 2) : printableText(told.text)}\n`,
  );
}

/** A line for a person while a command works; results go to stdout alone. */
export function note(text: string): void {
  process.stderr.write(`${printableText(text)}\n`);
}

/** A signal that is aborted by Ctrl-C, or when the command that started us goes; a second Ctrl-C ends at once. */
export function interruptible(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    process.stderr.write("\nstopping after this step (Ctrl-C again: at once) …\n");
    controller.abort();
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  process.on("disconnect", stop);
  if (process.connected === false) stop(); // gone before we looked; undefined where nobody started us
  return {
    signal: controller.signal,
    release: () => {
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
      process.off("disconnect", stop);
    },
  };
}

/** Progress of counted work: a bar on a terminal, a line each tenth in a log. */
export function progress(what: string): { update: (done: number, total: number) => void; stop: () => void } {
  const { stderr } = process;
  if (!stderr.isTTY) {
    let told = -1;
    const update = (done: number, total: number) => {
      const tenth = Math.floor((10 * done) / total);
      if (tenth > told) stderr.write(`${done} of ${total} ${what}\n`);
      told = Math.max(told, tenth);
    };
    return { update, stop: () => {} };
  }
  // Loaded where a bar is drawn, and nowhere else.
  const { SingleBar } = createRequire(import.meta.url)("cli-progress") as typeof import("cli-progress");
  const bar = new SingleBar({
    format: `{bar} {value}/{total} ${what} · {eta_formatted} left`,
    hideCursor: true,
    etaBuffer: 50,
  });
  let started = false;
  const update = (done: number, total: number) => {
    if (!started) bar.start(total, done);
    started = true;
    bar.update(done);
  };
  return { update, stop: () => bar.stop() };
}
