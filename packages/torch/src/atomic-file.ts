import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/**
 * Writes a file that appears by rename once all its bytes are on the disk: a process that dies, or a disk that fills
 * up, leaves what was there before. A symbolic link stays one: what it leads to is replaced. What is no regular file (a
 * pipe, `/dev/null`, `/dev/stdout`) is written to where it is.
 * @param content text, bytes, or bytes in parts, one after the other
 * @throws the system's error, whose `path` is the file that was asked for
 */
export function writeAtomically(path: string, content: string | Uint8Array | Iterable<Uint8Array>): void {
  try {
    const stream = openStream(path);
    if (stream !== undefined) writeStream(stream, content);
    else replace(followLinks(path), content);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code ? Object.assign(error as Error, { path }) : error;
  }
}

/** Whether a path stands for something that is written to as it comes, and never replaced. */
export function isStream(path: string): boolean {
  return descriptorOf(path) !== undefined || isSpecial(statSync(path, { throwIfNoEntry: false }));
}

function replace(path: string, content: string | Uint8Array | Iterable<Uint8Array>): void {
  const temporary = temporaryName(path, process.pid);
  let file: number | undefined;
  try {
    file = openSync(temporary, "w");
    const before = statSync(path, { throwIfNoEntry: false });
    if (before) fchmodSync(file, before.mode & 0o777);
    writeParts(file, content);
    fsyncSync(file);
    closeSync(file);
    file = undefined;
    renameSync(temporary, path);
    removeLeftOvers(path);
  } catch (error) {
    if (file !== undefined) closeSync(file);
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Where a chain of links ends, whether a file stands there or not. */
function followLinks(path: string): string {
  let at = path;
  for (let links = 0; lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink(); links++) {
    if (links === 40) throw Object.assign(new Error(`${path}: a loop of symbolic links`), { code: "ELOOP" });
    at = resolve(dirname(at), readlinkSync(at));
  }
  return at;
}

interface Stream {
  file: number;
  /** Whether it was opened here. */
  own: boolean;
}

/** A special file, opened; `undefined` for a regular one, or none. */
function openStream(path: string): Stream | undefined {
  const descriptor = descriptorOf(path);
  if (descriptor !== undefined) return { file: descriptor, own: false };
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!isSpecial(stats)) return undefined;
  if (stats?.isBlockDevice()) {
    throw Object.assign(new Error(`${path} is a disk; name a file`), { code: "EINVAL" });
  }
  const deadline = Date.now() + READER_WAIT;
  for (;;) {
    try {
      return { file: openSync(path, constants.O_WRONLY | constants.O_NONBLOCK), own: true };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENXIO") throw error;
      if (Date.now() > deadline) throw new Error(`${path}: nobody reads from this pipe`);
      sleep(50);
    }
  }
}

const isSpecial = (stats: Stats | undefined): boolean => stats !== undefined && !stats.isFile() && !stats.isDirectory();

/** How long a pipe may be without a reader, in milliseconds. */
const READER_WAIT = 10_000;

/** `/dev/stdout` and the like name a descriptor of this process; one that is a socket cannot be opened by its name. */
function descriptorOf(path: string): number | undefined {
  if (path === "/dev/stdout") return 1;
  if (path === "/dev/stderr") return 2;
  const number = /^\/(?:dev|proc\/self)\/fd\/(\d+)$/.exec(path)?.[1];
  return number === undefined ? undefined : Number(number);
}

function writeStream({ file, own }: Stream, content: string | Uint8Array | Iterable<Uint8Array>): void {
  try {
    writeParts(file, content);
  } finally {
    if (own) closeSync(file);
  }
}

function writeParts(file: number, content: string | Uint8Array | Iterable<Uint8Array>): void {
  if (typeof content === "string") writeAll(file, Buffer.from(content));
  else if (content instanceof Uint8Array) writeAll(file, content);
  else for (const part of content) writeAll(file, part);
}

/** The system may take fewer bytes at once than it was given: on a disk that is nearly full, or into a full pipe. */
function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(file, bytes, at, Math.min(bytes.length - at, 1 << 30));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      sleep(5);
    }
  }
}

const sleep = (milliseconds: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

/** Most bytes of a file's name that its temporary name keeps: the system allows 255 in all. */
const NAME_KEPT = 220;

function temporaryName(path: string, pid: number): string {
  return join(dirname(path), `${kept(basename(path))}.${pid}.tmp`);
}

const kept = (name: string) => (Buffer.byteLength(name) > NAME_KEPT ? Buffer.from(name).toString("hex", 0, 100) : name);

/** Temporary files of the same name whose process was killed. */
function removeLeftOvers(path: string): void {
  const name = kept(basename(path));
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
