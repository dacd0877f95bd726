import { onDevice } from "./device.ts";
import { handles } from "./dispatch.ts";
import { native } from "./native.ts";
import { setRehearsing } from "./rehearsing.ts";
import { runSynchronously } from "./synchronous.ts";
import type { Tensor } from "./tensor.ts";

/** A moment of a rehearsal: what was counted until then. */
export interface Moment {
  /** Its number; allocations are ordered by it. */
  readonly at: number;
  /** Floating-point operations of products (two for a multiplication with its addition), forward and backward. */
  readonly flops: number;
  /** Operators that a device was asked for. */
  readonly calls: number;
}

/** Where some tensors lie, told when they lay there. */
export type Places = ReadonlySet<number>;

/** What is known of a rehearsal while it is under way. Memory that several tensors share counts once. */
export class Rehearsal {
  now(): Moment {
    const [at, flops, calls] = native.rehearsalCounts();
    return { at, flops, calls };
  }

  /** Notes where tensors lie: what is known of their memory outlives them. */
  placesOf(tensors: readonly Tensor[]): Places {
    return new Set(native.rehearsalPlaces(handles(tensors)).filter((place) => place >= 0));
  }

  /** Bytes of the memory at some places. */
  bytesAt(places: Places): number {
    const log = readLog();
    return [...places].reduce((sum, place) => sum + log[3 * place], 0);
  }

  /** Bytes that were taken at a moment. @param since only what was made after this one */
  heldAt({ at }: Moment, { since }: { since?: Moment } = {}): number {
    const after = since?.at ?? 0;
    const log = readLog();
    let sum = 0;
    for (let i = 0; i < log.length; i += 3) {
      const [made, freed] = [log[i + 1], log[i + 2]];
      if (made > after && made <= at && (freed === 0 || freed > at)) sum += log[i];
    }
    return sum;
  }

  /** The most that was taken at once of what was made in a span. @param without places that do not count */
  most({ from, to, without }: { from: Moment; to: Moment; without?: Places }): number {
    const log = readLog();
    // At each moment one block is made or freed.
    const changes = new Float64Array(to.at - from.at + 1);
    for (let i = 0; i < log.length; i += 3) {
      const [made, freed] = [log[i + 1], log[i + 2]];
      if (made <= from.at || made > to.at || without?.has(i / 3)) continue;
      changes[made - from.at] += log[i];
      if (freed !== 0 && freed <= to.at) changes[freed - from.at] -= log[i];
    }
    let [held, most] = [0, 0];
    for (const bytes of changes) {
      held += bytes;
      most = Math.max(most, held);
    }
    return most;
  }
}

/** Bytes, and the moments at which it was made and freed (0: it lives), of every block in order. */
const readLog = () => new Float64Array(native.rehearsalAllocations());

/**
 * Runs `fn` without computing: tensors have shapes, dtypes and gradients, and zeros where they are read; models of any
 * size are built and trained in a moment. What it would have cost is counted: memory by LibTorch's own life of each
 * tensor, floating-point operations by the operators that the dispatcher was asked for. Whole numbers, if they are
 * few, are computed as ever: indices and counts decide on shapes.
 *
 * @param device what is rehearsed for: "cpu" runs our fused operators, "cuda" what a GPU would run, with or without one
 * @throws when a rehearsal is under way, and for an operator whose shapes nobody knows
 */
export function rehearse<T>({ device }: { device: "cpu" | "cuda" }, fn: (rehearsal: Rehearsal) => T): T {
  native.rehearsalStart(device);
  setRehearsing(true);
  try {
    return onDevice(device, () =>
      runSynchronously("rehearse(options, fn)", () => fn(new Rehearsal()), "await first, and rehearse what follows"),
    );
  } finally {
    setRehearsing(false);
    native.rehearsalStop();
  }
}
