import { FORMAT_DTYPES } from "./header.ts";

/** A tensor that is to be written. */
export interface Written {
  name: string;
  /** The format's name of its dtype. */
  code: string;
  shape: readonly number[];
}

/** Bytes of one element. */
const sizeOf = ({ code }: Written): number => FORMAT_DTYPES[code].bits / 8;

/** How many bytes a tensor takes. */
export const bytesOf = (tensor: Written): number => tensor.shape.reduce((size, n) => size * n, sizeOf(tensor));

/** The order in a file: wide elements first, as the reference implementation has it, so that each is aligned to its size. */
export function inOrder<T extends Written>(tensors: readonly T[]): T[] {
  return [...tensors].sort((a, b) => sizeOf(b) - sizeOf(a) || (a.name < b.name ? -1 : 1));
}

/** What stands before the tensors' bytes. @param tensors in the order of the file */
export function headOf(tensors: readonly Written[], metadata?: Readonly<Record<string, string>>): Uint8Array {
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  let at = 0;
  for (const tensor of tensors) {
    const end = at + bytesOf(tensor);
    header[tensor.name] = { dtype: tensor.code, shape: tensor.shape, data_offsets: [at, end] };
    at = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const head = new Uint8Array(8 + padded).fill(0x20); // spaces
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(json, 8);
  return head;
}
