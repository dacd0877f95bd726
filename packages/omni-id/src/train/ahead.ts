import { scope } from "@omni-id/torch";
import type { FetchedPictures } from "../people/picture-source.ts";
import type { Share } from "./share.ts";
import { batchOf, type Stage } from "./stage.ts";

/** Steps whose pictures are on their way: the one that is next, and those that are read and decoded meanwhile. */
const STEPS_AHEAD = 3;

/**
 * The pictures of coming steps, fetched while the present one computes. What a step wants follows from its number alone,
 * so it is drawn twice, here and at the step itself: nothing that a run ends in depends on what was fetched when.
 */
export class Ahead<Batch> {
  readonly #stage: Stage<Batch>;
  readonly #pieces: readonly Share[];
  readonly #last: number;
  readonly #coming = new Map<number, Promise<FetchedPictures>[]>();
  #atHand = false;

  /** @param pieces the shares of a step that this process computes, one after the other @param last the last step */
  constructor(stage: Stage<Batch>, pieces: readonly Share[], last: number) {
    this.#stage = stage;
    this.#pieces = pieces;
    this.#last = last;
    this.#atHand = stage.fetch === undefined;
  }

  /** The pictures of a step, piece by piece; undefined where they lie at hand. @throws what fetching met */
  async of(step: number): Promise<FetchedPictures[] | undefined> {
    for (let next = step; next < step + STEPS_AHEAD && next <= this.#last && !this.#atHand; next++) {
      if (!this.#coming.has(next)) this.#start(next);
    }
    const own = this.#coming.get(step);
    this.#coming.delete(step);
    return own && Promise.all(own);
  }

  #start(step: number): void {
    const fetches: Promise<FetchedPictures>[] = [];
    for (const piece of this.#pieces) {
      scope(() => {
        const fetch = this.#stage.fetch?.(batchOf(this.#stage, step, piece));
        if (fetch !== undefined) fetches.push(fetch);
      });
    }
    if (fetches.length === 0) {
      this.#atHand = true;
      return;
    }
    // One that fails is told of when its step comes.
    for (const fetch of fetches) fetch.catch(() => {});
    this.#coming.set(step, fetches);
  }

  /** Lets go of what was fetched and is not wanted any more. */
  async close(): Promise<void> {
    const left = [...this.#coming.values()].flat();
    this.#coming.clear();
    for (const fetched of await Promise.allSettled(left)) {
      if (fetched.status === "fulfilled") fetched.value[Symbol.dispose]();
    }
  }
}
