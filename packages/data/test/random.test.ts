import { describe, expect, it } from "vitest";
import { KeyedRandom } from "../src/random.ts";

describe("KeyedRandom", () => {
  it("is uniform: mean, variance, and equal bins", () => {
    const random = new KeyedRandom(1, 2, 3);
    const n = 200_000;
    const bins = new Float64Array(32);
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < n; i++) {
      const u = random.uniform();
      sum += u;
      squares += u * u;
      bins[Math.floor(u * 32)]++;
    }
    expect(sum / n).toBeCloseTo(1 / 2, 2);
    expect(squares / n - (sum / n) ** 2).toBeCloseTo(1 / 12, 2);
    const chi = bins.reduce((total, count) => total + (count - n / 32) ** 2 / (n / 32), 0);
    expect(chi).toBeLessThan(70); // 31 degrees of freedom: beyond 1e-4
  });

  it("gives unrelated streams to neighbouring keys", () => {
    const first = Array.from({ length: 2000 }, (_, step) => new KeyedRandom(0, step).uniform());
    const mean = first.reduce((sum, u) => sum + u, 0) / first.length;
    const lag = first.slice(1).reduce((sum, u, i) => sum + (u - mean) * (first[i] - mean), 0) / (first.length / 12);
    expect(mean).toBeCloseTo(0.5, 1);
    expect(Math.abs(lag)).toBeLessThan(0.1);
    expect(new Set(first).size).toBe(2000);
  });

  it("is normal where asked", () => {
    const random = new KeyedRandom(7);
    const values = Array.from({ length: 50_000 }, () => random.normal());
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const variance = values.reduce((sum, x) => sum + x * x, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(variance).toBeCloseTo(1, 1);
  });

  it("chooses without repeats", () => {
    const random = new KeyedRandom(4);
    expect(random.choose(10).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(() => random.choose(3, 4)).toThrow(RangeError);
  });
});
