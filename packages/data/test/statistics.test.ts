import { KeyedRandom } from "@omni-id/data";
import { describe, expect, it } from "vitest";
import { bootstrap, rocAuc } from "../src/statistics.ts";

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
});
