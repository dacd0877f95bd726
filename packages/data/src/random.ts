/**
 * Random numbers that depend on their key alone, so that step 731 of a run draws the same batch whether or not the
 * run was interrupted at step 730.
 */
export class KeyedRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  /** @param key whole numbers, such as [seed, step, purpose] */
  constructor(...key: number[]) {
    let h = 0x9e3779b9;
    const word = () => {
      h = (h + 0x9e3779b9) | 0;
      let z = h;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      return (z ^ (z >>> 16)) >>> 0;
    };
    for (const part of key) {
      h = Math.imul(h ^ (part | 0), 0x01000193) ^ Math.floor(part / 2 ** 32);
      word();
    }
    this.#a = word() | 0;
    this.#b = word() | 0;
    this.#c = word() | 0;
    this.#counter = word() | 0;
  }

  /** Uniform in [0, 1), 32 bits (sfc32, Doty-Humphrey). */
  uniform(): number {
    const t = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + t) | 0;
    return (t >>> 0) / 2 ** 32;
  }

  /** Uniform in [from, to). */
  range(from: number, to: number): number {
    return from + (to - from) * this.uniform();
  }

  /** True with probability p. */
  chance(p: number): boolean {
    return this.uniform() < p;
  }

  /** A whole number in [0, n). */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Standard normal (Box–Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Normal with a deviation, held within ±limit. */
  spread(deviation: number, limit: number): number {
    return Math.max(-limit, Math.min(limit, this.normal() * deviation));
  }

  /** One of the items, all alike. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** One of [item, weight] pairs. */
  weighted<T>(items: readonly (readonly [T, number])[]): T {
    const total = items.reduce((sum, [, weight]) => sum + weight, 0);
    let left = this.uniform() * total;
    for (const [item, weight] of items) {
      left -= weight;
      if (left < 0) return item;
    }
    return items[items.length - 1][0];
  }

  /** `count` different whole numbers of [0, n), in random order. */
  choose(n: number, count: number = n): number[] {
    if (count > n) throw new RangeError(`cannot choose ${count} different numbers out of ${n}`);
    const pool = Array.from({ length: n }, (_, i) => i);
    for (let i = 0; i < count; i++) {
      const j = i + this.below(n - i);
      [pool[i], pool[j]] = [pool[j], pool[i]];
    }
    return pool.slice(0, count);
  }
}
