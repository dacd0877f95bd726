import { KeyedRandom } from "./random.ts";

export interface Estimate {
  mean: number;
  /** 95 % bootstrap interval over identities. */
  ci: [number, number];
}

export interface BootstrapOptions {
  seed?: number;
  draws?: number;
}

/**
 * A figure of a set of people with its 95 % bootstrap interval: `statistic` is asked for all people once (`mean`), then
 * for `draws` sets of as many drawn with repetition. Of the same number of people and seed the same sets are drawn, so
 * two figures of the same people, and their difference, are paired.
 * @param statistic of people by number, some of them several times; NaN where such a set has none, which is left out
 */
export function bootstrapOver(
  people: number,
  statistic: (drawn: readonly number[]) => number,
  { seed = 0, draws = 2000 }: BootstrapOptions = {},
): Estimate {
  const random = new KeyedRandom(seed, 0xb007);
  const values: number[] = [];
  for (let draw = 0; draw < draws; draw++) {
    const value = statistic(Array.from({ length: people }, () => random.below(people)));
    if (!Number.isNaN(value)) values.push(value);
  }
  values.sort((a, b) => a - b);
  const at = (share: number) => values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? Number.NaN;
  return { mean: statistic(Array.from({ length: people }, (_, i) => i)), ci: [at(0.025), at(0.975)] };
}

/** Values of people, one list each. */
export type Groups = readonly (readonly number[])[];

/** Mean of the values of some people, each value once: `drawn` may name one several times. */
export function meanOf(groups: Groups): (drawn: readonly number[]) => number {
  const sums = groups.map((values) => values.reduce((sum, value) => sum + value, 0));
  return (drawn) => {
    let [sum, count] = [0, 0];
    for (const person of drawn) {
      sum += sums[person];
      count += groups[person].length;
    }
    return sum / count;
  };
}

/**
 * Mean with a 95 % bootstrap interval that draws whole identities: pictures of one person are not independent.
 * @param groups the values of each identity
 */
export function bootstrap(groups: Groups, options: BootstrapOptions = {}): Estimate {
  return { ...bootstrapOver(groups.length, meanOf(groups), options), mean: mean(groups.flat()) };
}

/**
 * Mean of `a` less mean of `b`, of the same people, with the interval of the difference (paired bootstrap over people).
 * @throws when they are not the same number of people
 */
export function bootstrapDifference(a: Groups, b: Groups, options: BootstrapOptions = {}): Estimate {
  if (a.length !== b.length) throw new RangeError(`a paired difference of ${a.length} and ${b.length} people`);
  const [of, less] = [meanOf(a), meanOf(b)];
  return bootstrapOver(a.length, (drawn) => of(drawn) - less(drawn), options);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Linear interpolation between the sorted values (numpy's default). @param share 0 … 1 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  return sorted[below] + (place - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
}

/** Bounds outside which a value is an outlier by Tukey's rule: 1.5 times the distance of the quartiles beyond them. */
export function outlierBounds(values: readonly number[]): [number, number] {
  const [low, high] = [quantile(values, 0.25), quantile(values, 0.75)];
  return [low - 1.5 * (high - low), high + 1.5 * (high - low)];
}

/** A share with what it was counted over. */
export interface Rate {
  value: number;
  n: number;
}

export const rate = (hits: readonly boolean[]): Rate => ({ value: mean(hits.map(Number)), n: hits.length });
