import { type BootstrapOptions, bootstrapOver } from "./statistics.ts";

/**
 * Area under the ROC curve: the chance that a random positive scores above a random negative; ties count half
 * (Mann–Whitney).
 */
export function rocAuc(positive: readonly number[], negative: readonly number[]): number {
  const pairs = [
    ...positive.map((score) => ({ score, gallery: 0, probe: 0 })),
    ...negative.map((score) => ({ score, gallery: 0, probe: 1 })),
  ];
  return weightedAuc(sorted(pairs), [1, 1]);
}

/** One comparison: how alike, and of whom with whom. */
export interface ScoredPair {
  score: number;
  /** Number of the enrolled person. */
  gallery: number;
  /** Number of the person who is compared; the same one makes the pair a positive. */
  probe: number;
}

export interface AucEstimate {
  auc: number;
  /** 95 % bootstrap interval over people; absent where fewer than two people have positive pairs. */
  ci?: [number, number];
}

/**
 * ROC AUC of some pairs, with an interval that draws whole people: a pair counts as often as both its people were
 * drawn, and a person drawn twice is one person still, whose pairs with himself stay positive.
 */
export function bootstrapAuc(
  pairs: readonly ScoredPair[],
  people: number,
  options: BootstrapOptions = {},
): AucEstimate {
  const order = sorted(pairs);
  const enrolled = new Set(pairs.filter(({ gallery, probe }) => gallery === probe).map(({ gallery }) => gallery));
  const counts = (drawn: readonly number[]) => {
    const times = new Array<number>(people).fill(0);
    for (const person of drawn) times[person]++;
    return times;
  };
  const { mean: auc, ci } = bootstrapOver(people, (drawn) => weightedAuc(order, counts(drawn)), options);
  return enrolled.size > 1 ? { auc, ci } : { auc };
}

const sorted = (pairs: readonly ScoredPair[]) => [...pairs].sort((a, b) => a.score - b.score);

/** AUC of pairs in ascending order, each weighed by how often its people count; NaN without positives or negatives. */
function weightedAuc(pairs: readonly ScoredPair[], times: readonly number[]): number {
  let [won, positives, negatives] = [0, 0, 0];
  for (let i = 0; i < pairs.length; ) {
    let [tiedPositives, tiedNegatives] = [0, 0];
    const { score } = pairs[i];
    for (; i < pairs.length && pairs[i].score === score; i++) {
      const { gallery, probe } = pairs[i];
      if (gallery === probe) tiedPositives += times[gallery];
      else tiedNegatives += times[gallery] * times[probe];
    }
    won += tiedPositives * (negatives + tiedNegatives / 2);
    positives += tiedPositives;
    negatives += tiedNegatives;
  }
  return won / (positives * negatives);
}
