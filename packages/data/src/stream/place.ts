import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Patience, Remote } from "./remote.ts";

/** Where a prepared set lies, as a thread can be told of it. */
export interface Origin {
  /** A folder; of a set elsewhere, that of what was brought here. */
  folder: string;
  /** Its address, where it is elsewhere. */
  url?: string;
  patience?: Partial<Patience>;
}

/** Files that are held open: a person's pictures lie side by side, and the next person's elsewhere. */
const OPEN_FILES = 64;

const isAddress = (place: string) => /^(https?|s3):\/\//.test(place);

/** @param cache what is brought here from elsewhere goes into a folder of its own below this one */
export function originOf(place: string, cache: string, patience?: Partial<Patience>): Origin {
  if (!isAddress(place)) return { folder: place };
  const name = createHash("sha256").update(place).digest("hex").slice(0, 16);
  return { folder: join(cache, `remote-${name}`), url: place, patience };
}

/** Reads files of a set, from here or from elsewhere. */
export class Place {
  readonly origin: Origin;
  readonly remote: Remote | undefined;
  readonly #open = new Map<string, Promise<FileHandle>>();

  constructor(origin: Origin) {
    this.origin = origin;
    this.remote = origin.url === undefined ? undefined : new Remote(origin.url, origin.patience);
  }

  path(name: string): string {
    return join(this.origin.folder, name);
  }

  /** A small file as a whole. @throws when there is none */
  read(name: string): Promise<Buffer> {
    return this.remote ? this.remote.get(name) : readFile(this.path(name));
  }

  /** Some bytes of a shard: of its copy here, where there is one. @throws when it is cut off or cannot be had */
  async range(name: string, offset: number, size: number): Promise<Buffer> {
    if (this.remote && !existsSync(this.path(name))) return this.remote.get(name, { offset, size });
    const file = await this.#file(name);
    const bytes = Buffer.allocUnsafe(size);
    for (let done = 0; done < size; ) {
      const { bytesRead } = await file.read(bytes, done, size - done, offset + done);
      if (bytesRead === 0) throw new Error(`${this.path(name)}: the file is cut off; prepare or fetch it again`);
      done += bytesRead;
    }
    return bytes;
  }

  #file(name: string): Promise<FileHandle> {
    const known = this.#open.get(name);
    // The one that was asked for last goes last.
    this.#open.delete(name);
    const file = known ?? open(this.path(name));
    this.#open.set(name, file);
    if (this.#open.size > OPEN_FILES) {
      const [oldest, handle] = this.#open.entries().next().value as [string, Promise<FileHandle>];
      this.#open.delete(oldest);
      // A read of it that is on its way keeps the file; Node closes it behind that.
      handle.then((opened) => opened.close()).catch(() => {});
    }
    return file;
  }

  async close(): Promise<void> {
    const all = await Promise.allSettled(this.#open.values());
    this.#open.clear();
    await Promise.all(all.map((one) => (one.status === "fulfilled" ? one.value.close() : undefined)));
  }
}
