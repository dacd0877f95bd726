import { KeyedRandom } from "@omni-id/data";
import type { People } from "./people.ts";

/** Rows spread over all people, the same for every run. */
export function sample(people: People, count: number): number[] {
  const { rows } = people;
  return new KeyedRandom(rows.length, count)
    .choose(rows.length, Math.min(rows.length, count))
    .map((place) => rows[place]);
}

/** What single draws are made from: all people, by the sets that they come from. */
export class Urn {
  readonly #sets: { people: number[]; rows: number[]; weight: number }[];

  constructor(people: People) {
    let from = 0;
    this.#sets = people.shares.map(({ people: count, weight }) => {
      const own = Array.from({ length: count }, () => from++);
      return { people: own, rows: own.flatMap((person) => people.rowsOf(person)), weight };
    });
  }

  /** Any photo of a set. */
  row(random: KeyedRandom): number {
    const { rows } = this.#set(random);
    return rows[random.below(rows.length)];
  }

  /** Anybody of a set. */
  person(random: KeyedRandom): number {
    const { people } = this.#set(random);
    return people[random.below(people.length)];
  }

  #set(random: KeyedRandom) {
    return this.#sets.length === 1
      ? this.#sets[0]
      : random.weighted(this.#sets.map((set) => [set, set.weight] as const));
  }
}
