import { createHash, type Hash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { PASSING, type Patience, reason } from "../stream/remote.ts";

/** By what a file is known. */
export interface KnownFile {
  url: string;
  hash: { algorithm: "md5" | "sha256"; hex: string };
  /** More bytes than it can have: a server that goes on sending is stopped there. */
  most: number;
}

export interface DownloadOptions {
  /** `timeout` is for the next bytes, not for all of them; attempts that brought some are not counted. */
  patience?: Partial<Patience>;
  onProgress?: (done: number, total: number | undefined) => void;
  /** Aborted: stops at once; what came stays, and the next call goes on from there. */
  signal?: AbortSignal;
}

const PATIENCE: Patience = { retries: 6, wait: 1000, timeout: 60_000 };
const LONGEST_WAIT = 30_000;
/** Whole files that were another file, after which nobody is asked again. */
const MOST_WRONG = 2;

/** What another attempt does not mend. */
class Final extends Error {}

/**
 * Brings a large file. What came stays beside it (`.part`) when the connection breaks off, or this machine does, and the
 * rest is asked for; it appears by rename, once its hash is right, whatever lengths the server tells.
 * @throws one line with the address when it cannot be had, or what comes is another file
 */
export async function downloadFile(file: KnownFile, path: string, options: DownloadOptions = {}): Promise<void> {
  const { retries, wait: first } = { ...PATIENCE, ...options.patience };
  const part = `${path}.part`;
  mkdirSync(dirname(path), { recursive: true });
  if (existsSync(path)) {
    if ((await hashOf(path, file.hash.algorithm)) === file.hash.hex) return;
    rmSync(path); // somebody has changed it since
  }
  let [idle, wrong] = [0, 0];
  for (;;) {
    const before = sizeOf(part);
    let trouble: Error | undefined;
    try {
      await bringRest(file, part, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      trouble = error as Error;
    }
    // A length may be told wrongly, and the connection broken off for it: the hash alone counts.
    if (sizeOf(part) > 0 && (await hashOf(part, file.hash.algorithm)) === file.hash.hex) {
      renameSync(part, path);
      return;
    }
    if (!trouble) {
      const size = sizeOf(part);
      rmSync(part, { force: true });
      trouble = new Error(`${size} bytes came that are not this file`);
      if (++wrong >= MOST_WRONG) throw new Error(`${file.url}: ${trouble.message}, ${wrong} times; name another place`);
    }
    if (trouble instanceof Final) {
      if (sizeOf(part) > file.most) rmSync(part);
      throw new Error(`${file.url}: ${trouble.message}`);
    }
    idle = sizeOf(part) > before ? 0 : idle + 1;
    if (idle > retries) throw new Error(`${file.url}: ${trouble.message}, after ${idle} attempts; run it again later`);
    await wait(Math.min(LONGEST_WAIT, first * 2 ** idle), undefined, { signal: options.signal });
  }
}

/** Appends to a part what is missing of it, as far as it comes. */
async function bringRest(file: KnownFile, part: string, options: DownloadOptions): Promise<void> {
  const { timeout } = { ...PATIENCE, ...options.patience };
  const silence = new AbortController();
  let alarm: NodeJS.Timeout | undefined;
  const heard = () => {
    clearTimeout(alarm);
    alarm = setTimeout(() => silence.abort(new DOMException("silence", "TimeoutError")), timeout);
  };
  heard();
  try {
    const signal = options.signal ? AbortSignal.any([options.signal, silence.signal]) : silence.signal;
    const rest = await askRest(file.url, sizeOf(part), signal);
    if (rest) await writeRest(rest, part, file.most, { heard, onProgress: options.onProgress });
  } catch (error) {
    if (error instanceof Final) throw error;
    if ((error as NodeJS.ErrnoException).code === "ENOSPC") throw new Final("the disk is full; free some space");
    throw new Error(reason(silence.signal.aborted ? silence.signal.reason : (error as Error), timeout));
  } finally {
    clearTimeout(alarm);
  }
}

interface Rest {
  bytes: AsyncIterable<Uint8Array>;
  /** Where they begin; 0 where a server that knows no ranges sends all of it. */
  start: number;
  /** Bytes that they are said to be. */
  length: number | undefined;
}

/** @returns undefined where the server has nothing behind what is there */
async function askRest(url: string, there: number, signal: AbortSignal): Promise<Rest | undefined> {
  const response = await fetch(url, { headers: there > 0 ? { range: `bytes=${there}-` } : {}, signal });
  const { status, body } = response;
  if (status === 416 || !response.ok || !body) {
    await body?.cancel();
    if (status === 416) return undefined;
    const what = `${status} ${response.statusText}`.trim();
    throw PASSING.has(status) ? new Error(what) : new Final(what);
  }
  if (status === 206 && startOf(response) !== there) throw new Error("another part came than was asked for");
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  return {
    bytes: body as unknown as AsyncIterable<Uint8Array>,
    start: status === 206 ? there : 0,
    length: Number.isFinite(length) ? length : undefined,
  };
}

/** Piece by piece: what came is on the disk when the connection breaks off. */
async function writeRest(
  { bytes, start, length }: Rest,
  part: string,
  most: number,
  { heard, onProgress }: Pick<DownloadOptions, "onProgress"> & { heard: () => void },
): Promise<void> {
  const file = await open(part, start > 0 ? "a" : "w");
  const total = length === undefined ? undefined : start + length;
  let done = start;
  try {
    for await (const some of bytes) {
      heard();
      done += some.length;
      if (done > most) throw new Final(`more than ${most} bytes came; this is not the file`);
      await file.write(some);
      onProgress?.(done, total);
    }
  } finally {
    await file.close();
  }
  if (total !== undefined && done < total) throw new Error(`${done} of ${total} bytes came`);
}

function startOf(response: Response): number {
  return Number(/^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1] ?? Number.NaN);
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

async function hashOf(path: string, algorithm: string): Promise<string> {
  const hash: Hash = createHash(algorithm);
  for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer);
  return hash.digest("hex");
}
