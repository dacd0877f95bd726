import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { native } from "../native.ts";
import { getNumThreads } from "../runtime.ts";

export interface LaunchOptions {
  /** How many to start on this machine. */
  processes: number;
  command: string;
  /** Arguments of the command; `attempt` counts the starts from 0: a later one goes on from a checkpoint. */
  args: (attempt: number) => readonly string[];
  env?: NodeJS.ProcessEnv;
  /** How often all are started again after one failed. Default 0. */
  restarts?: number;
  /** Threads for all processes together; the usable cores when left out. */
  threads?: number;
  /** Exit codes that end all and are no failure, such as that of a process which was asked to stop. */
  final?: readonly number[];
  /** A line of a process, from its standard output or error. */
  onLine?: (rank: number, line: string, stream: "stdout" | "stderr") => void;
  /** What the launcher itself has to tell. */
  note?: (text: string) => void;
  /** Aborted: all processes are asked to stop (SIGTERM). */
  signal?: AbortSignal;
  /** Seconds between asking a process to stop and killing it. Default 15. */
  patience?: number;
}

export interface LaunchResult {
  /** 0 when all processes ended well, else the code of the one that ended first. */
  code: number;
  /** How many starts it took. */
  attempts: number;
  /** What ended the last start, for a person; empty after success. */
  reason: string;
}

/**
 * Starts `processes` of one command on this machine, with the environment that `init` reads and threads shared out, and
 * holds the store at which they meet (so it outlives rank 0, and no port is fixed). When one ends badly the others are
 * ended too, and all are started again, `restarts` times at most.
 */
export async function launch(options: LaunchOptions): Promise<LaunchResult> {
  const { processes, restarts = 0, final = [], note = () => {}, signal } = options;
  if (!Number.isInteger(processes) || processes < 1)
    throw new Error(`launch: ${processes} processes; expected a whole number from 1`);
  if (native.distributed().length === 0)
    throw new Error("several processes need a LibTorch with the headers of c10d; `init` says what to install");
  const [server, port] = native.serveStore("127.0.0.1", 0);
  for (let attempt = 0; ; attempt++) {
    const { code, reason } = await once(options, attempt, port);
    if (code === 0 || final.includes(code) || signal?.aborted || attempt >= restarts) {
      keepAlive(server);
      return { code, attempts: attempt + 1, reason };
    }
    note(`${reason}; starting all ${processes} again (${attempt + 1} of ${restarts})`);
  }
}

/** The store lives as long as its object is referred to. */
function keepAlive(_object: unknown): void {}

async function once(options: LaunchOptions, attempt: number, port: number): Promise<{ code: number; reason: string }> {
  const { processes, command, args, signal, patience = 15, onLine } = options;
  const threads = Math.max(1, Math.floor((options.threads ?? getNumThreads()) / processes));
  const children = new Map<number, ChildProcess>();
  let ended: { code: number; reason: string } | undefined;
  let timer: NodeJS.Timeout | undefined;
  const stop = () => {
    for (const child of children.values()) child.kill("SIGTERM");
    timer ??= setTimeout(() => {
      for (const child of children.values()) child.kill("SIGKILL"); // a stopped process hears nothing else
    }, patience * 1000);
  };
  signal?.addEventListener("abort", stop, { once: true });
  try {
    await new Promise<void>((resolve) => {
      const done = (rank: number, code: number, how: string) => {
        if (!children.delete(rank)) return;
        if (code !== 0 && !ended) {
          ended = { code, reason: `rank ${rank} ${how}` };
          if (!signal?.aborted) stop();
        }
        if (children.size === 0) resolve();
      };
      for (let rank = 0; rank < processes; rank++) {
        const env = {
          ...process.env,
          OMP_NUM_THREADS: String(threads),
          ...options.env,
          RANK: String(rank),
          LOCAL_RANK: String(rank),
          WORLD_SIZE: String(processes),
          LOCAL_WORLD_SIZE: String(processes),
          MASTER_ADDR: "127.0.0.1",
          MASTER_PORT: String(port),
          TORCHELASTIC_USE_AGENT_STORE: "True",
          TORCHELASTIC_RESTART_COUNT: String(attempt),
        };
        // A process group of its own: Ctrl-C would reach it from the terminal and from us. By the channel it learns
        // when we are killed.
        const child = spawn(command, args(attempt), { env, stdio: ["ignore", "pipe", "pipe", "ipc"], detached: true });
        children.set(rank, child);
        for (const name of ["stdout", "stderr"] as const) {
          const stream = child[name];
          if (stream) createInterface(stream).on("line", (line) => onLine?.(rank, line, name));
        }
        child.on("error", (error) => done(rank, 1, `did not start: ${error.message}`));
        child.on("close", (code, killer) =>
          done(rank, code ?? 1, killer ? `was ended by ${killer}` : `ended with code ${code}`),
        );
      }
      if (signal?.aborted) stop();
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
  return ended ?? { code: 0, reason: "" };
}
