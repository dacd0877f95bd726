import { createHash } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import { dirname } from "node:path";
import pRetry, { AbortError } from "p-retry";
import { signed } from "./s3.ts";

/** How stubborn a download is. Times in milliseconds. */
export interface Patience {
  /** Attempts after the first one. */
  retries: number;
  /** Before the second attempt; twice as long before each later one, half a minute at most. */
  wait: number;
  /** For an answer, and for all of its bytes. */
  timeout: number;
}

const PATIENCE: Patience = { retries: 6, wait: 500, timeout: 120_000 };
const LONGEST_WAIT = 30_000;

/** Statuses that another attempt may mend. */
export const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Files below an address, `https://…`, `http://…` or `s3://bucket/…`. */
export class Remote {
  readonly url: string;
  readonly #patience: Patience;

  constructor(url: string, patience: Partial<Patience> = {}) {
    this.url = url.replace(/\/+$/, "");
    this.#patience = { ...PATIENCE, ...patience };
  }

  /** A file's bytes, or some of them. @throws one line with the address when it cannot be had, after all attempts */
  get(name: string, range?: { offset: number; size: number }): Promise<Buffer> {
    return this.#stubbornly(name, async (signal) => {
      const headers: Record<string, string> = range
        ? { range: `bytes=${range.offset}-${range.offset + range.size - 1}` }
        : {};
      const response = await this.#ask(name, headers, signal);
      const bytes = Buffer.from(await response.arrayBuffer());
      const claimed = Number(response.headers.get("content-length") ?? bytes.length);
      if (bytes.length < claimed) throw new Error(`${bytes.length} of ${claimed} bytes came`);
      if (!range) return bytes;
      // A server that knows no ranges sends all of it.
      const own = response.status === 206 ? bytes : bytes.subarray(range.offset, range.offset + range.size);
      if (own.length !== range.size) throw new Error(`${own.length} of ${range.size} bytes came`);
      return own;
    });
  }

  /**
   * Brings a file to a place of its own on this machine; it appears by rename.
   * @throws as {@link get} does, and when what comes is not the file of that hash
   */
  async download(name: string, path: string, sha256: string): Promise<void> {
    await this.#stubbornly(name, async (signal) => {
      const response = await this.#ask(name, {}, signal);
      const bytes = Buffer.from(await response.arrayBuffer());
      const found = createHash("sha256").update(bytes).digest("hex");
      if (found !== sha256) throw new Error(`${bytes.length} bytes came that are not this file (SHA-256 ${found})`);
      mkdirSync(dirname(path), { recursive: true });
      const temporary = `${path}.${process.pid}.tmp`;
      try {
        writeFileSync(temporary, bytes);
        await rename(temporary, path);
      } catch (error) {
        rmSync(temporary, { force: true });
        throw new AbortError(error as Error); // a disk that is full stays full
      }
    });
  }

  async #ask(name: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    const response = await fetch(await signed(`${this.url}/${name}`, headers), { signal });
    if (response.ok) return response;
    await response.body?.cancel();
    const what = `${response.status} ${response.statusText}`.trim();
    if (PASSING.has(response.status)) throw new Error(what);
    const remedy = { 401: "credentials are wanted", 403: "credentials are wanted, or others", 404: "no such file" };
    const more = remedy[response.status as keyof typeof remedy];
    throw new AbortError(more ? `${what}: ${more}` : what);
  }

  async #stubbornly<T>(name: string, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { retries, wait, timeout } = this.#patience;
    let attempts = 0;
    try {
      return await pRetry(
        async () => {
          attempts++;
          try {
            return await attempt(AbortSignal.timeout(timeout));
          } catch (error) {
            // The library gives up at once on a TypeError that is not known to it.
            throw error instanceof AbortError ? error : new Error(reason(error as Error, timeout));
          }
        },
        { retries, minTimeout: wait, maxTimeout: LONGEST_WAIT, factor: 2, randomize: true },
      );
    } catch (error) {
      const tried = attempts > 1 ? `, after ${attempts} attempts` : "";
      throw new Error(`${this.url}/${name}: ${reason(error as Error, timeout)}${tried}`);
    }
  }
}

/** What went wrong, without "fetch failed". */
export function reason(error: Error, timeout: number): string {
  if (error.name === "TimeoutError") return `no answer within ${timeout / 1000} s`;
  const cause = error.cause as (Error & { code?: string }) | undefined;
  if (error.message !== "fetch failed" && error.message !== "terminated") return error.message;
  return cause?.message || cause?.code || "the connection broke off";
}
