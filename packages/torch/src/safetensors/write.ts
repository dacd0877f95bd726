import { writeAtomically } from "../atomic-file.ts";
import { noGrad } from "../autograd.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import { headOf, inOrder } from "./head.ts";
import { FORMAT_DTYPES } from "./header.ts";

const formatNames = new Map(Object.entries(FORMAT_DTYPES).map(([name, { dtype }]) => [dtype, name]));

/**
 * Writes tensors as one safetensors file. The file appears by rename once all its bytes are on the disk: a process
 * that dies, or a disk that fills up, leaves what was there before.
 * @param options.metadata strings for `__metadata__`
 */
export function saveSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
  options: { metadata?: Readonly<Record<string, string>> } = {},
): void {
  const { head, laid } = layOut(tensors, options);
  writeAtomically(path, partsOf(head, laid));
}

/** A file's head, and the tensors in the order in which they follow it. */
export function layOut(
  tensors: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>,
  { metadata }: { metadata?: Readonly<Record<string, string>> },
): { head: Uint8Array; laid: { tensor: Tensor }[] } {
  const entries = tensors instanceof Map ? [...tensors] : Object.entries(tensors as Record<string, Tensor>);
  const laid = inOrder(
    entries.map(([name, tensor]) => ({ name, tensor, code: formatOf(name, tensor), shape: tensor.shape })),
  );
  return { head: headOf(laid, metadata), laid };
}

/** The head, then each tensor's bytes: one tensor at a time is brought to the CPU. */
function* partsOf(head: Uint8Array, laid: readonly { tensor: Tensor }[]): Generator<Uint8Array> {
  yield head;
  for (const { tensor } of laid) yield scope(() => noGrad(() => bytesOf(tensor)));
}

function formatOf(name: string, tensor: Tensor): string {
  const known = formatNames.get(tensor.dtype);
  if (!known) throw new Error(`tensor "${name}": ${tensor.dtype} has no place in a safetensors file`);
  return known;
}

/** A tensor's bytes on the CPU; they may be its own memory. */
export function bytesOf(tensor: Tensor): Uint8Array {
  const array = tensor.detach().to("cpu").contiguous().data();
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
