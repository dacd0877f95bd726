import { KeyedRandom } from "./random.ts";

export interface Estimate {
  mean: number;
  /** 95 % bootstrap interval over identities. */
  ci: [number, number];
}

/**
 * Mean with a 95 % bootstrap interval that draws whole identities: pictures of one person are not independent.
 * @param groups the values of each identity
 */
export function bootstrap(groups: readonly (readonly number[])[], { seed = 0, draws = 2000 } = {}): Estimate {
  const sums = groups.map((values) => values.reduce((sum, value) => sum + value, 0));
  const random = new KeyedRandom(seed, 0xb007);
  const means: number[] = [];
  for (let draw = 0; draw < draws; draw++) {
    let sum = 0;
    let count = 0;
    for (let i = 0; i < groups.length; i++) {
      const group = random.below(groups.length);
      sum += sums[group];
      count += groups[group].length;
    }
    means.push(sum / count);
  }
  means.sort((a, b) => a - b);
  const at = (share: number) => means[Math.min(draws - 1, Math.floor(share * draws))];
  return { mean: mean(groups.flat()), ci: [at(0.025), at(0.975)] };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** A share with what it was counted over. */
export interface Rate {
  value: number;
  n: number;
}

export const rate = (hits: readonly boolean[]): Rate => ({ value: mean(hits.map(Number)), n: hits.length });

/**
 * Area under the ROC curve: the chance that a random positive scores above a random negative; ties count half
 * (Mann–Whitney).
 */
export function rocAuc(positive: readonly number[], negative: readonly number[]): number {
  const all = [...positive.map((score) => ({ score, own: true })), ...negative.map((score) => ({ score, own: false }))];
  all.sort((a, b) => a.score - b.score);
  let rankSum = 0;
  for (let i = 0; i < all.length; ) {
    let j = i;
    while (j < all.length && all[j].score === all[i].score) j++;
    const rank = (i + 1 + j) / 2; // mean rank of the tied
    for (; i < j; i++) if (all[i].own) rankSum += rank;
  }
  return (rankSum - (positive.length * (positive.length + 1)) / 2) / (positive.length * negative.length);
}
