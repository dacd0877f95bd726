import { KeyedRandom } from "@omni-id/data";
import { describe, expect, it } from "vitest";
import { bootstrapAuc, rocAuc, type ScoredPair } from "../src/roc.ts";
import { bootstrap, bootstrapDifference, bootstrapOver, meanOf, outlierBounds, quantile } from "../src/statistics.ts";

describe("rocAuc", () => {
  it("is the share of pairs in the right order, ties half", () => {
    const positive = [0.9, 0.4, 0.4, 0.7];
    const negative = [0.1, 0.4, 0.8, 0.2, 0.4];
    let won = 0;
    for (const p of positive) for (const n of negative) won += p > n ? 1 : p === n ? 0.5 : 0;
    expect(rocAuc(positive, negative)).toBeCloseTo(won / 20, 12);
  });

  it("has its ends", () => {
    expect(rocAuc([2, 3], [0, 1])).toBe(1);
    expect(rocAuc([0, 1], [2, 3])).toBe(0);
    expect(rocAuc([1, 1], [1, 1])).toBe(0.5);
  });
});

describe("bootstrapAuc", () => {
  const random = new KeyedRandom(5);
  const PEOPLE = 6;
  const pairs: ScoredPair[] = [];
  for (let gallery = 0; gallery < PEOPLE; gallery++) {
    for (let probe = 0; probe < PEOPLE; probe++) {
      for (let i = 0; i < 3; i++) {
        const score = Math.round(10 * (random.normal() + (gallery === probe ? 1 : 0)));
        pairs.push({ score, gallery, probe });
      }
    }
  }
  /** The pairs of drawn people written out, each as often as both were drawn. */
  const written = (drawn: readonly number[]) => {
    const times = (person: number) => drawn.filter((one) => one === person).length;
    const scores = (own: boolean) =>
      pairs
        .filter(({ gallery, probe }) => (gallery === probe) === own)
        .flatMap(({ score, gallery, probe }) => {
          const count = own ? times(gallery) : times(gallery) * times(probe);
          return new Array<number>(count).fill(score);
        });
    return rocAuc(scores(true), scores(false));
  };

  it("is the AUC of all pairs, with the interval of writing every drawn set's pairs out", () => {
    const { auc, ci } = bootstrapAuc(pairs, PEOPLE, { draws: 200 });
    expect(auc).toBeCloseTo(written([0, 1, 2, 3, 4, 5]), 12);
    const slow = bootstrapOver(PEOPLE, written, { draws: 200 });
    expect(ci?.[0]).toBeCloseTo(slow.ci[0], 12);
    expect(ci?.[1]).toBeCloseTo(slow.ci[1], 12);
    expect(slow.ci[0]).toBeLessThan(auc);
    expect(slow.ci[1]).toBeGreaterThan(auc);
  });

  it("gives no interval where one person alone has positive pairs", () => {
    const one = pairs.filter(({ gallery }) => gallery === 0);
    expect(bootstrapAuc(one, PEOPLE)).toEqual({ auc: expect.any(Number) });
  });
});

describe("bootstrap", () => {
  it("finds the interval of a mean whose error is known", () => {
    const random = new KeyedRandom(3);
    const people = Array.from({ length: 100 }, () => {
      const person = random.normal();
      return Array.from({ length: 4 }, () => person + 0.1 * random.normal());
    });
    const { mean, ci } = bootstrap(people);
    const expected = people.flat().reduce((sum, x) => sum + x, 0) / 400;
    expect(mean).toBeCloseTo(expected, 12);
    // Deviation between people is about 1, so the mean of 100 has a standard error of about 0.1: ±0.196.
    expect((ci[1] - ci[0]) / 2).toBeGreaterThan(0.15);
    expect((ci[1] - ci[0]) / 2).toBeLessThan(0.25);
    expect(ci[0]).toBeLessThan(mean);
    expect(ci[1]).toBeGreaterThan(mean);
  });

  it("of a difference is paired: what both sides share of a person does not widen it", () => {
    const random = new KeyedRandom(4);
    const shared = Array.from({ length: 100 }, () => random.normal());
    const side = (shift: number) => shared.map((person) => [person + shift + 0.1 * random.normal()]);
    const [a, b] = [side(0.2), side(0)];
    const { mean, ci } = bootstrapDifference(a, b);
    expect(mean).toBeCloseTo(meanOf(a)([...shared.keys()]) - bootstrap(b).mean, 12);
    // √2 · 0.1 between people: ±0.028, where unpaired means would give ±0.28.
    expect((ci[1] - ci[0]) / 2).toBeGreaterThan(0.02);
    expect((ci[1] - ci[0]) / 2).toBeLessThan(0.04);
    expect(() => bootstrapDifference(a, b.slice(1))).toThrow(/100 and 99 people/);
  });

  it("leaves out drawn sets that have no such figure", () => {
    const onlyWithFirst = (drawn: readonly number[]) => (drawn.includes(0) ? 1 : Number.NaN);
    expect(bootstrapOver(5, onlyWithFirst)).toEqual({ mean: 1, ci: [1, 1] });
  });
});

describe("quartiles", () => {
  it("are numpy's, and outliers lie 1.5 of their distance beyond", () => {
    // numpy.percentile([1, 2, 3, 4, 10], [25, 75]) = [2, 4]; of [1, 2, 3, 10] = [1.75, 4.75]
    expect([quantile([10, 1, 3, 2, 4], 0.25), quantile([10, 1, 3, 2, 4], 0.75)]).toEqual([2, 4]);
    expect([quantile([1, 2, 3, 10], 0.25), quantile([1, 2, 3, 10], 0.75)]).toEqual([1.75, 4.75]);
    expect(outlierBounds([10, 1, 3, 2, 4])).toEqual([-1, 7]);
  });
});
