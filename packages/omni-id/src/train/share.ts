import { scope, type Tensor } from "@omni-id/torch";

/**
 * This process's part of a run. What is drawn at a step depends on (seed, step) and on the place in the whole batch,
 * never on the process; each process then computes on its share of the rows, and the mean of all shares' losses and
 * gradients is the whole batch's.
 */
export interface Share {
  readonly rank: number;
  /** How many processes there are. */
  readonly count: number;
  /** Sum over all processes of a tensor without gradient. All of them have to ask, in the same order. */
  total(value: Tensor): Tensor;
}

/** One process that does it all. */
export const ALONE: Share = { rank: 0, count: 1, total: (value) => value };

/** Mean over all processes of a scalar: what each has computed on its share. */
export function meanOf(share: Share, value: Tensor): number {
  return scope(() => share.total(value.detach()).item() / share.count);
}

/** Where a process's rows begin among `rows`, and how many they are. @throws when rows do not divide evenly */
export function placeOf({ rank, count }: Share, rows: number, what: string): { start: number; length: number } {
  if (rows % count !== 0) {
    throw new Error(
      `a step's ${rows} ${what} cannot be shared evenly by ${count} processes; set the stage's batch to a multiple of ${count}`,
    );
  }
  return { start: (rank * rows) / count, length: rows / count };
}

/** A process's part of a list. @throws when it does not divide evenly */
export function partOf<T>(share: Share, list: readonly T[], what: string): T[] {
  const { start, length } = placeOf(share, list.length, what);
  return list.slice(start, start + length);
}

/** A process's rows of a tensor `[B, …]`. @throws when they do not divide evenly */
export function rowsOf(share: Share, tensor: Tensor, what: string): Tensor {
  if (share.count === 1) return tensor;
  const { start, length } = placeOf(share, tensor.shape[0], what);
  return tensor.narrow(0, start, length);
}
