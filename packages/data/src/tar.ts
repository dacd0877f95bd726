import { statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

/** A file inside a tar file. */
export interface TarEntry {
  /** The tar file. */
  shard: string;
  /** Its name there. */
  path: string;
  offset: number;
  size: number;
}

const BLOCK = 512;

/** The bytes of a file inside a tar file. */
export async function readEntry({ shard, offset, size }: TarEntry): Promise<Buffer> {
  const file = await open(shard);
  try {
    return await readAt(file, offset, size);
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, offset: number, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  for (let done = 0; done < size; ) {
    const { bytesRead } = await file.read(bytes, done, size - done, offset + done);
    if (bytesRead === 0) throw new Error("the file ends too early");
    done += bytesRead;
  }
  return bytes;
}

/**
 * Names, places and sizes of a tar file's entries (POSIX ustar; long names by pax are skipped over, ours are short).
 * @throws when it is cut off or damaged
 */
export async function readHeaders(shard: string): Promise<TarEntry[]> {
  const { size: length } = statSync(shard);
  const damaged = (what: string) =>
    new Error(`${shard}: ${what}; the shard is damaged or cut off: delete it and run the command that made it again`);
  const entries: TarEntry[] = [];
  const file = await open(shard);
  try {
    for (let at = 0; ; ) {
      if (at + BLOCK > length) throw damaged("it has no end mark");
      const header = await readAt(file, at, BLOCK);
      if (header.every((byte) => byte === 0)) return entries;
      if (!checksumFits(header)) throw damaged(`no valid header at byte ${at}`);
      const size = Number.parseInt(text(header, 124, 12), 8);
      const offset = at + BLOCK;
      if (!Number.isSafeInteger(size) || offset + size > length)
        throw damaged(`an entry at byte ${at} reaches beyond its end`);
      const prefix = text(header, 345, 155);
      if (header[156] === 0x30 || header[156] === 0) {
        const path = prefix ? `${prefix}/${text(header, 0, 100)}` : text(header, 0, 100);
        entries.push({ shard, path, offset, size });
      }
      at = offset + Math.ceil(size / BLOCK) * BLOCK;
    }
  } finally {
    await file.close();
  }
}

function text(header: Buffer, offset: number, length: number): string {
  const field = header.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? length : end).trim();
}

function checksumFits(header: Buffer): boolean {
  const claimed = Number.parseInt(text(header, 148, 8), 8);
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : header[i];
  return sum === claimed;
}
