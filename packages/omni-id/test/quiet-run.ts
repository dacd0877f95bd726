import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, relative } from "node:path";

/** What a program left behind and what it asked the network for. */
export interface Trace {
  code: number | null;
  /** All that it wrote to stdout and stderr. */
  told: string;
  /** Files it left in its home and its folder for temporary files. */
  files: string[];
  /** Sockets it opened. */
  sockets: string[];
}

const OPENED = /^\d+ +(socket\(AF_INET.*|connect\(.*sin6?_addr.*|send(?:to|msg|mmsg)\(.*)$/;

/**
 * Runs Node with an empty home and an environment without CI (in which ONNX Runtime's telemetry hides), and watches it:
 * by strace where there is one, and by what the kernel says of its open files, ten times a second.
 */
export async function quietRun(args: readonly string[]): Promise<Trace> {
  const folder = mkdtempSync(join(tmpdir(), "omni-id-quiet-"));
  const [home, temporary] = [join(folder, "home"), join(folder, "tmp")];
  for (const made of [home, temporary]) mkdirSync(made);
  const [output, trace] = [join(folder, "output"), join(folder, "trace")];
  try {
    const traced = hasStrace();
    const command = [process.execPath, ...args];
    const watched = traced
      ? ["strace", "-f", "-qq", "-e", "trace=socket,connect,sendto,sendmsg,sendmmsg", "-o", trace, ...command]
      : command;
    const descriptor = openSync(output, "w");
    const child = spawn(watched[0], watched.slice(1), {
      env: {
        PATH: process.env.PATH,
        HOME: home,
        TMPDIR: temporary,
        OMNI_ID_CACHE: process.env.OMNI_ID_CACHE || join(homedir(), ".cache", "omni-id"),
      },
      stdio: ["ignore", descriptor, descriptor], // files: a pipe of Node's is a socket itself
    });
    const seen = new Set<string>();
    const watch = setInterval(() => {
      for (const socket of openSockets(child.pid)) seen.add(socket);
    }, 100);
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
    });
    clearInterval(watch);
    const asked = traced ? readFileSync(trace, "utf8").split("\n") : [];
    const sockets = [...seen, ...asked.filter((line) => OPENED.test(line))];
    return { code, told: readFileSync(output, "utf8"), files: [...filesIn(home), ...filesIn(temporary)], sockets };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Whether strace is here and may trace: containers often forbid it. */
function hasStrace(): boolean {
  return spawnSync("strace", ["-qq", "-o", "/dev/null", "true"]).status === 0;
}

function openSockets(pid: number | undefined): string[] {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder)
      .map((name) => readlinkSync(join(folder, name)))
      .filter((target) => target.startsWith("socket:"));
  } catch {
    return []; // a file was closed, or the program ended, between two looks
  }
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)));
}
