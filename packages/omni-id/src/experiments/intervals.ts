import { type Estimate, KeyedRandom, mean } from "@omni-id/data";

/** Values of one figure: of each seed, of each person. */
export type SeedsByPeople = readonly (readonly number[])[];

const DRAWS = 4000;

/**
 * The mean with its 95 % interval over seeds and people: each draw takes as many seeds and as many people as there are, with
 * repetition, each independently of the other (a crossed bootstrap). The same numbers of seeds and people draw the
 * same sets, so the interval of a difference is that of pairs. Of a single seed it is over people alone; of three it
 * is somewhat too narrow, as every bootstrap of three is.
 */
export function overSeedsAndPeople(values: SeedsByPeople): Estimate {
  const [seeds, people] = [values.length, values[0]?.length ?? 0];
  const random = new KeyedRandom(0, 0x5eed5);
  const means = Array.from({ length: DRAWS }, () => {
    const rows = Array.from({ length: seeds }, () => values[random.below(seeds)]);
    const columns = Array.from({ length: people }, () => random.below(people));
    let sum = 0;
    for (const row of rows) for (const column of columns) sum += row[column];
    return sum / (seeds * people);
  }).sort((a, b) => a - b);
  const at = (share: number) => means[Math.min(DRAWS - 1, Math.floor(share * DRAWS))];
  return { mean: mean(values.flat()), ci: [at(0.025), at(0.975)] };
}

/** One less the other, seed by seed and person by person. */
export function pairedDifference(more: SeedsByPeople, less: SeedsByPeople): number[][] {
  return more.map((row, seed) => row.map((value, person) => value - less[seed][person]));
}

/** A difference for a person: always with its sign. @param digits decimals; as many as it has when absent */
export const signed = (value: number, digits?: number): string => {
  const size = Math.abs(value);
  return `${value < 0 ? "−" : "+"}${digits === undefined ? size : size.toFixed(digits)}`;
};

/** A signed difference with its interval. */
export const signedInterval = ({ mean: value, ci }: Estimate, digits: number): string =>
  `${signed(value, digits)} [${ci.map((end) => signed(end, digits)).join(", ")}]`;
