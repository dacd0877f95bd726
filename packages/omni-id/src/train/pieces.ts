import { scope, type Tensor } from "@omni-id/torch";
import type { Pictures } from "../people/picture-source.ts";
import type { Share } from "./share.ts";
import { batchOf, type Stage } from "./stage.ts";

/**
 * A process's share of a step in pieces that are computed one after the other, their gradients added up: a batch larger
 * than memory. To a stage each piece is the share of a process of its own; what losses are divided by together is added
 * up before the first one.
 */
export class Pieces<Batch> {
  readonly shares: readonly Share[];
  /** What a probe is told: it looks at the first piece alone. */
  readonly first: Share;
  readonly #stage: Stage<Batch>;
  readonly #share: Share;
  #sums: readonly Tensor[] = [];
  #asked = 0;

  constructor(stage: Stage<Batch>, share: Share, count: number) {
    this.#stage = stage;
    this.#share = share;
    const total = (value: Tensor) => this.#sums[this.#asked++] ?? value;
    const piece = (m: number): Share => ({ rank: share.rank * count + m, count: share.count * count, total });
    // One piece is the share itself, and asks the others as it comes to it.
    this.shares = count === 1 ? [share] : Array.from({ length: count }, (_, m) => piece(m));
    this.first = { ...this.shares[0], total: (value) => share.total(value) };
  }

  /** Adds up what the step's losses are divided by, over its pieces and all processes. */
  begin(step: number, pictures: readonly Pictures[] | undefined): void {
    if (this.shares.length === 1 || !this.#stage.totals) return;
    const sums: Tensor[] = [];
    for (const [m, piece] of this.shares.entries()) {
      const own = scope(
        () => this.#stage.totals?.(batchOf(this.#stage, step, piece), step, piece, pictures?.[m]) ?? [],
      );
      for (const [k, value] of own.entries()) sums[k] = sums[k]?.add(value) ?? value;
    }
    this.#sums = sums.map((sum) => this.#share.total(sum));
  }

  /** Before each piece's loss. */
  next(): void {
    this.#asked = 0;
  }
}
