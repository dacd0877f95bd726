import { noGrad } from "../autograd.ts";
import { empty } from "../factories.ts";
import { cat } from "../functions.ts";
import { scope } from "../scope.ts";
import type { Tensor } from "../tensor.ts";
import type { ProcessGroup } from "./process-group.ts";

/** What an optimiser of `optim` does. */
export interface Optimiser {
  lr: number;
  readonly params: readonly Tensor[];
  step(): void;
  zeroGrad(): void;
  stateTensors(): Map<string, Tensor>;
  loadStateTensors(state: ReadonlyMap<string, Tensor>): void;
}

/**
 * An optimiser whose state is divided among the ranks: each remembers, and moves, its own share of the parameters, and
 * tells the others the result. ZeRO's stage 1 (Rajbhandari et al., 2020, section 5.1): with AdamW on W ranks the state
 * takes 8 / W bytes a parameter in place of 8. Gradients have to be the same on all ranks ({@link DataParallel}).
 *
 * `stateTensors` is what the undivided optimiser would give, so a checkpoint can be loaded by any number of processes.
 */
export class ShardedOptimiser implements Optimiser {
  readonly params: readonly Tensor[];
  readonly #group: ProcessGroup;
  readonly #own: Optimiser;
  /** For each rank the places of its parameters. */
  readonly #shares: readonly number[][];

  /** @param make builds the optimiser of a share, such as `(params) => new AdamW(params)` */
  constructor(group: ProcessGroup, params: readonly Tensor[], make: (params: Tensor[]) => Optimiser) {
    this.params = params;
    this.#group = group;
    this.#shares = shares(
      params.map((param) => param.numel),
      group.worldSize,
    );
    this.#own = make(this.#shares[group.rank].map((i) => params[i]));
  }

  get lr(): number {
    return this.#own.lr;
  }
  set lr(lr: number) {
    this.#own.lr = lr;
  }

  /** Moves this rank's share, then brings every rank's parameters to where their owners moved them. Waits. */
  step(): void {
    this.#own.step();
    for (const [owner, places] of this.#shares.entries()) {
      for (const list of byKind(places.map((i) => this.params[i]))) {
        scope(() =>
          noGrad(() => {
            const flat =
              owner === this.#group.rank
                ? cat(
                    list.map((param) => param.detach().reshape([-1])),
                    0,
                  )
                : empty([list.reduce((sum, { numel }) => sum + numel, 0)], {
                    dtype: list[0].dtype,
                    device: list[0].device,
                  });
            this.#group.broadcastSync(flat, { from: owner, what: `parameters that rank ${owner} moved` });
            if (owner === this.#group.rank) return;
            let at = 0;
            for (const param of list) {
              param.copy_(flat.narrow(0, at, param.numel).view([...param.shape]));
              at += param.numel;
            }
          }),
        );
      }
    }
  }

  /** Forgets all gradients, those of other ranks' shares too. */
  zeroGrad(): void {
    for (const param of this.params) param.grad = null;
  }

  /**
   * The state of all ranks, on rank 0 and in main memory; empty on the others. Every rank has to call it at the same
   * time.
   */
  stateTensors(): Map<string, Tensor> {
    const own = this.#own.stateTensors();
    const cards = [...own].map(([key, { dtype, shape }]) => ({ key, dtype, shape }));
    const all = this.#group
      .gatherTextSync(JSON.stringify(cards), "cards of optimiser state")
      .map((text) => JSON.parse(text) as typeof cards);
    const state = new Map<string, Tensor>();
    for (const [owner, list] of all.entries()) {
      for (const { key, dtype, shape } of list) {
        const name = key.replace(/^\d+(?=\.)/, (place) => String(this.#shares[owner][Number(place)]));
        if (name === key && owner > 0 && !/^\d/.test(key)) continue; // the number of steps: the same for all
        const kept = scope(() =>
          noGrad(() => {
            const value = own.get(key);
            const given = owner === this.#group.rank && value ? value.to(this.#group.device).contiguous() : undefined;
            const sent = given ?? empty([...shape], { dtype, device: this.#group.device });
            this.#group.broadcastSync(sent, { from: owner, what: `optimiser state ${name}` });
            return this.#group.rank === 0 ? sent.to("cpu") : undefined;
          }),
        );
        if (kept) state.set(name, kept);
      }
    }
    return state;
  }

  /** @throws when the state belongs to other parameters */
  loadStateTensors(state: ReadonlyMap<string, Tensor>): void {
    const share = this.#shares[this.#group.rank];
    const own = new Map<string, Tensor>();
    for (const [key, tensor] of state) {
      const [, place, name] = /^(\d+)\.(.*)$/.exec(key) ?? [];
      if (place === undefined) own.set(key, tensor);
      else if (share.includes(Number(place))) own.set(`${share.indexOf(Number(place))}.${name}`, tensor);
    }
    this.#own.loadStateTensors(own);
  }
}

/** Divides places among ranks, the largest first, each to the rank that has least; in order of place within a rank. */
function shares(sizes: readonly number[], ranks: number): number[][] {
  const lists = Array.from({ length: ranks }, (): number[] => []);
  const loads = new Array<number>(ranks).fill(0);
  const order = [...sizes.keys()].sort((a, b) => sizes[b] - sizes[a] || a - b);
  for (const place of order) {
    const rank = loads.indexOf(Math.min(...loads));
    lists[rank].push(place);
    loads[rank] += sizes[place];
  }
  return lists.map((list) => list.sort((a, b) => a - b));
}

/** Lists of one dtype and device each: what fits into one flat tensor. */
function byKind(params: readonly Tensor[]): Tensor[][] {
  const lists = new Map<string, Tensor[]>();
  for (const param of params) {
    const kind = `${param.dtype} ${param.device}`;
    lists.set(kind, [...(lists.get(kind) ?? []), param]);
  }
  return [...lists.values()];
}
