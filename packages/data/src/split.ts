import { createHash } from "node:crypto";

/** Ids of the three parts of a set. */
export interface Split {
  train: string[];
  /** Never trained on; recipes may be chosen by them. */
  validation: string[];
  /** Never trained on, never used to choose: the paper holds out 44 too. */
  test: string[];
}

/** People in the test part and in the validation part of a large set: the paper's number. */
export const HELD_OUT = 44;

/**
 * Splits identities by a seeded hash of their ids: the 44 lowest are the test people, the next 44 are for validation.
 * Sets of fewer than 440 hold out a tenth each, but two where they hold out any: one person has nobody to be compared
 * with. The order of `ids` does not matter; each part keeps it.
 */
export function splitIdentities(ids: readonly string[], { seed = 0 }: { seed?: number } = {}): Split {
  const rank = (id: string) => createHash("sha256").update(`${seed}\0${id}`).digest("hex");
  const order = [...ids].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
  const tenth = Math.floor(ids.length / 10);
  const held = tenth === 0 ? 0 : Math.min(HELD_OUT, Math.max(2, tenth));
  const test = new Set(order.slice(0, held));
  const validation = new Set(order.slice(held, 2 * held));
  return {
    train: ids.filter((id) => !test.has(id) && !validation.has(id)),
    validation: ids.filter((id) => validation.has(id)),
    test: ids.filter((id) => test.has(id)),
  };
}
