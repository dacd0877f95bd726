import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * Writes a file that appears by rename once all its bytes are on the disk: a process that dies, or a disk that fills
 * up, leaves what was there before.
 * @param content text, bytes, or bytes in parts, one after the other
 * @throws the system's error, whose `path` is the file that was asked for
 */
export function writeAtomically(path: string, content: string | Uint8Array | Iterable<Uint8Array>): void {
  const temporary = `${path}.${process.pid}.tmp`;
  let file: number | undefined;
  try {
    file = openSync(temporary, "w");
    if (typeof content === "string") writeAll(file, Buffer.from(content));
    else if (content instanceof Uint8Array) writeAll(file, content);
    else for (const part of content) writeAll(file, part);
    fsyncSync(file);
    closeSync(file);
    file = undefined;
    renameSync(temporary, path);
    removeLeftOvers(path);
  } catch (error) {
    if (file !== undefined) closeSync(file);
    rmSync(temporary, { force: true });
    throw (error as NodeJS.ErrnoException).code ? Object.assign(error as Error, { path }) : error;
  }
}

/** The system may take fewer bytes at once than it was given: on a disk that is nearly full, for one. */
function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, Math.min(bytes.length - at, 1 << 30));
}

/** Temporary files of the same name whose process was killed. */
function removeLeftOvers(path: string): void {
  const name = basename(path);
  for (const entry of readdirSync(dirname(path))) {
    const pid = entry.startsWith(`${name}.`) ? /^\.(\d+)\.tmp$/.exec(entry.slice(name.length))?.[1] : undefined;
    if (pid && !isAlive(Number(pid))) rmSync(join(dirname(path), entry), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
