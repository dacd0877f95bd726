import type { Sliceable } from "./tensor-types.ts";

/** One entry of an index of tensors of type T. */
export type IndexOf<T> = number | null | ":" | "..." | { start?: number; end?: number; step?: number } | T;

const isTensor = <T extends Sliceable>(entry: IndexOf<T>): entry is T =>
  typeof entry === "object" && entry !== null && "handle" in entry;
/** How many of the tensor's dimensions an entry uses up; a boolean mask covers as many as it has itself. */
const consumes = <T extends Sliceable>(entry: IndexOf<T>): number =>
  entry === null || entry === "..." ? 0 : isTensor(entry) && entry.dtype === "bool" ? entry.ndim : 1;

/** `x[index]` by PyTorch's rules: numbers drop a dimension, null adds one, tensors gather along theirs. */
export function indexTensor<T extends Sliceable>(tensor: T, index: readonly IndexOf<T>[]): T {
  const used = index.reduce<number>((sum, entry) => sum + consumes(entry), 0);
  const { shape } = tensor;
  if (used > shape.length) throw new RangeError(`at(): ${used} indices for a tensor of shape [${shape.join(", ")}]`);
  const ellipsis = index.indexOf("...");
  if (ellipsis !== index.lastIndexOf("...")) throw new RangeError('at(): "..." may appear only once');

  let result = tensor;
  let dim = 0;
  const gathered: (T | null)[] = [];
  for (const entry of index) {
    if (entry === "...") dim += shape.length - used;
    else if (entry === ":") dim++;
    else if (entry === null) result = result.unsqueeze(dim++);
    else if (typeof entry === "number") result = selectAt(result, dim, entry);
    else if (isTensor(entry)) {
      while (gathered.length < dim) gathered.push(null);
      gathered.push(entry);
      dim += consumes(entry);
    } else result = result.slice(dim++, entry.start, entry.end, entry.step);
  }
  if (gathered.length > 0) result = result.index(gathered);
  return result === tensor ? tensor.slice(0) : result;
}

function selectAt<T extends Sliceable>(tensor: T, dim: number, i: number): T {
  const size = tensor.shape[dim];
  if (!Number.isInteger(i) || i < -size || i >= size) {
    throw new RangeError(`at(): index ${i} is outside dimension ${dim} of shape [${tensor.shape.join(", ")}]`);
  }
  return tensor.select(dim, i);
}
