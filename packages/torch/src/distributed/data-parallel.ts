import { noGrad } from "../autograd.ts";
import { handles } from "../dispatch.ts";
import { type NativeBuckets, native } from "../native.ts";
import type { Module } from "../nn/module.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import type { ProcessGroup } from "./process-group.ts";

export interface DataParallelOptions {
  /** Bytes of gradients that are sent together. Default 25 MiB, as in PyTorch; the first is 1 MiB at most. */
  bucketBytes?: number;
}

/** What the exchange of gradients has cost so far. */
export interface ExchangeStatistics {
  readonly buckets: number;
  /** Bytes of gradients a pass. */
  readonly bytes: number;
  /** Backward passes that were averaged. */
  readonly passes: number;
  /** Buckets sent twice, since a gradient came later than in the pass before. */
  readonly repeated: number;
  /** Seconds that all-reduces took, and that `backward` stood still for them. */
  readonly reducing: number;
  readonly waiting: number;
  /** Share of the all-reduce's time that was hidden behind the backward pass. */
  readonly hidden: number;
}

/**
 * Data parallelism: every rank computes on its own share of a batch, and `backward` leaves the mean of all ranks'
 * gradients behind. The module itself knows nothing of it: hooks at its parameters put gradients into buckets, in the
 * reverse order of use, and their all-reduces run while the rest of `backward` computes; its outermost call waits for
 * them. So checkpointed blocks, parameters that are tied, frozen, or used by some ranks only (the others count as zero)
 * and gradients accumulated over several passes ({@link noSync}) work. A parameter that no rank used keeps its null.
 *
 * Parameters and buffers start as rank 0 has them. (Li et al., 2020, "PyTorch Distributed", section 3.2.)
 */
export class DataParallel {
  readonly group: ProcessGroup;
  readonly #buckets: NativeBuckets;

  /** @throws when the ranks' modules differ: says in which parameter */
  constructor(group: ProcessGroup, module: Module, { bucketBytes = 25 * 2 ** 20 }: DataParallelOptions = {}) {
    this.group = group;
    broadcastModule(group, module);
    const trained = [...new Set(module.parameters())].filter((parameter) => parameter.requiresGrad);
    if (trained.length === 0) throw new Error("DataParallel: no parameter of the module requires a gradient");
    this.#buckets = native.newBuckets(group.native, handles(trained), bucketBytes);
  }

  /** Runs `fn`, whose backward passes only add to this rank's own gradients: all but the last of an accumulated step. */
  noSync<T>(fn: () => T): T {
    native.enableBuckets(this.#buckets, false);
    try {
      return fn();
    } finally {
      native.enableBuckets(this.#buckets, true);
    }
  }

  get statistics(): ExchangeStatistics {
    const found = native.bucketStatistics(this.#buckets);
    return { ...found, hidden: found.reducing > 0 ? Math.max(0, 1 - found.waiting / found.reducing) : 0 };
  }

  /** Later backward passes stay on this rank. */
  close(): void {
    native.closeBuckets(this.#buckets);
  }
}

/**
 * Gives every rank the parameters and buffers of rank `from`.
 * @throws when the ranks' modules differ: says in which tensor
 */
export function broadcastModule(group: ProcessGroup, module: Module, { from = 0 } = {}): void {
  const state = [...module.stateDict()];
  const lines = state.map(([key, tensor]) => {
    const trained = tensor.requiresGrad ? "trained" : "fixed";
    return `${key} ${tensor.dtype}[${tensor.shape}] ${trained}`;
  });
  compareLines(group, lines, "parameters");
  scope(() =>
    noGrad(() => {
      const sent = new Set<Tensor>();
      for (const [key, tensor] of state) {
        if (sent.has(tensor)) continue;
        sent.add(tensor);
        const whole = tensor.detach().contiguous();
        group.broadcastSync(whole, { from, what: key });
        if (!tensor.isContiguous) tensor.copy_(whole);
      }
    }),
  );
}

/** @throws when the lines are not the same on all ranks; names the first that differs */
function compareLines(group: ProcessGroup, lines: readonly string[], what: string): void {
  const all = group.gatherTextSync(lines.join("\n"), what).map((text) => text.split("\n"));
  for (const [rank, theirs] of all.entries()) {
    const length = Math.max(theirs.length, all[0].length);
    const at = Array.from({ length }, (_, i) => i).find((i) => theirs[i] !== all[0][i]);
    if (at === undefined) continue;
    throw new Error(
      `the ranks' ${what} differ: number ${at + 1} is ${all[0][at] ?? "missing"} on rank 0 and ${theirs[at] ?? "missing"} on rank ${rank}; build the same module everywhere`,
    );
  }
}
