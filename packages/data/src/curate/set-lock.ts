import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

/**
 * Keeps two processes from working in one folder. The lock of a process that was killed is taken over, and half files
 * of its are swept away.
 * @returns what gives the folder back
 * @throws when another process works there
 */
export function lockFolder(out: string): () => void {
  mkdirSync(out, { recursive: true });
  const path = join(out, ".lock");
  for (;;) {
    try {
      const file = openSync(path, "wx");
      writeSync(file, String(process.pid));
      closeSync(file);
      for (const folder of [out, join(out, "work"), join(out, "journal")]) sweep(folder);
      return () => rmSync(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const pid = Number(readFileSync(path, "utf8"));
      if (pid !== process.pid && isAlive(pid)) {
        throw new Error(`${out}: process ${pid} works here already; wait for it, or delete ${path} if that is wrong`);
      }
      rmSync(path, { force: true });
    }
  }
}

/** Files under a temporary name were never finished. */
function sweep(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) if (/\.\d+\.tmp$/.test(name)) rmSync(join(folder, name));
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
