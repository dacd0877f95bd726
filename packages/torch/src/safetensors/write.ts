import { writeAtomically } from "../atomic-file.ts";
import { noGrad } from "../autograd.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { FORMAT_DTYPES } from "./header.ts";

const formatNames = new Map(Object.entries(FORMAT_DTYPES).map(([name, { dtype, bits }]) => [dtype, { name, bits }]));

/**
 * Writes tensors as one safetensors file. The file appears by rename once all its bytes are on the disk: a process
 * that dies, or a disk that fills up, leaves what was there before.
 * @param metadata strings for `__metadata__`
 */
export function saveSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
  { metadata }: { metadata?: Readonly<Record<string, string>> } = {},
): void {
  // Wide elements first, as the reference implementation does: every tensor is then aligned to its own size.
  const entries = tensors instanceof Map ? [...tensors] : Object.entries(tensors as Record<string, Tensor>);
  const laid = entries
    .map(([name, tensor]) => ({ name, tensor, ...formatOf(name, tensor) }))
    .sort((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1));

  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  let at = 0;
  for (const { name, tensor, code, size } of laid) {
    const end = at + tensor.numel * size;
    header[name] = { dtype: code, shape: tensor.shape, data_offsets: [at, end] };
    at = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, " ")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));

  writeAtomically(path, partsOf([length, padded], laid));
}

/** The head, then each tensor's bytes: one tensor at a time is brought to the CPU. */
function* partsOf(head: readonly Uint8Array[], laid: readonly { tensor: Tensor }[]): Generator<Uint8Array> {
  yield* head;
  for (const { tensor } of laid) yield scope(() => noGrad(() => bytesOf(tensor)));
}

function formatOf(name: string, tensor: Tensor): { code: string; size: number } {
  const known = formatNames.get(tensor.dtype);
  if (!known) throw new Error(`tensor "${name}": ${tensor.dtype} has no place in a safetensors file`);
  return { code: known.name, size: known.bits / 8 };
}

function bytesOf(tensor: Tensor): Uint8Array {
  const array = tensor.detach().to("cpu").contiguous().data();
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
