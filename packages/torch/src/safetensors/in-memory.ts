import { decodeValues } from "./decode-values.ts";
import { bytesOf, headOf, inOrder, type Written } from "./head.ts";
import { MAX_HEADER, parseHeader } from "./header.ts";

/** A safetensors file that lies in memory, for small ones and where there are no files. */
export interface SafetensorsBytes {
  metadata: Readonly<Record<string, string>>;
  has(name: string): boolean;
  shape(name: string): readonly number[];
  /** A floating-point tensor's numbers as float32. */
  values(name: string): Float32Array;
}

/** @param what for messages @throws when the bytes are not exactly the format */
export function parseSafetensors(bytes: Uint8Array, what: string): SafetensorsBytes {
  try {
    if (bytes.length < 8) throw new Error(`only ${bytes.length} bytes: not even the length of a header`);
    const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
    const most = Math.min(MAX_HEADER, bytes.length - 8);
    if (length > BigInt(most)) {
      throw new Error(
        `its header claims ${length} bytes, the file has ${bytes.length - 8} left: cut off, or no safetensors file`,
      );
    }
    const start = 8 + Number(length);
    const { entries, metadata } = parseHeader(bytes.subarray(8, start), start, bytes.length);
    const entry = (name: string) => {
      const found = entries.get(name);
      if (!found) throw new Error(`${what}: no tensor "${name}"`);
      return found;
    };
    return {
      metadata,
      has: (name) => entries.has(name),
      shape: (name) => entry(name).shape,
      values: (name) => decodeValues(bytes.subarray(entry(name).start, entry(name).end), entry(name).code),
    };
  } catch (error) {
    throw new Error(`${what}: ${(error as Error).message}`);
  }
}

/** The bytes of a safetensors file. @param tensors with their bytes, little-endian */
export function encodeSafetensors(
  tensors: readonly (Written & { data: Uint8Array })[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  const laid = inOrder(tensors);
  const head = headOf(laid, metadata);
  const file = new Uint8Array(laid.reduce((size, tensor) => size + bytesOf(tensor), head.length));
  file.set(head);
  let at = head.length;
  for (const tensor of laid) {
    file.set(tensor.data, at);
    at += bytesOf(tensor);
  }
  return file;
}
