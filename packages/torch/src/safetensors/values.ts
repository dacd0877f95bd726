import { closeSync, openSync, readSync } from "node:fs";
import { decodeValues } from "./decode-values.ts";
import type { TensorEntry } from "./header.ts";

/** A tensor's numbers, read from its file without LibTorch. @throws when its dtype is none of floating point */
export function readValues(file: string, { code, start, end }: TensorEntry): Float32Array {
  const bytes = Buffer.alloc(end - start);
  const descriptor = openSync(file, "r");
  try {
    for (let at = 0; at < bytes.length; ) {
      const read = readSync(descriptor, bytes, at, bytes.length - at, start + at);
      if (read === 0) throw new Error(`${file}: the file was cut off while it was read`);
      at += read;
    }
  } finally {
    closeSync(descriptor);
  }
  try {
    return decodeValues(bytes, code);
  } catch (error) {
    throw new Error(`${file}: ${(error as Error).message}`);
  }
}
