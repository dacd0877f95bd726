/** Uploads take more memory than there is for all of them: come again later. */
export class BudgetSpent extends Error {
  constructor() {
    super("other uploads are under way and memory is kept for them; try again in a while");
    this.name = "BudgetSpent";
  }
}

/** Bytes of uploads that may lie in memory at once, of all requests together. */
export class Budget {
  readonly #most: number;
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get taken(): number {
    return this.#taken;
  }

  /** A share of it that grows, until it is given back whole. */
  open(): { take: (bytes: number) => void; release: () => void } {
    let own = 0;
    return {
      take: (bytes) => {
        if (this.#taken + bytes > this.#most) throw new BudgetSpent();
        this.#taken += bytes;
        own += bytes;
      },
      release: () => {
        this.#taken -= own;
        own = 0;
      },
    };
  }
}
