import { readFileSync } from "node:fs";
import { Generator, rand, randn, version } from "@omni-id/torch";
import { MersenneTwister, normalDraws } from "@omni-id/torch/plain";
import { describe, expect, it } from "vitest";

const avx2 = process.arch === "x64" && /\bavx2\b/.test(readFileSync("/proc/cpuinfo", "utf8"));
const debian = version().libtorch.startsWith("1.13.0");
const SEEDS = [0, 1, 12345, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

describe("LibTorch's random numbers without LibTorch", () => {
  it("are MT19937: the numbers that its authors publish for seed 5489", () => {
    const twister = new MersenneTwister(5489);
    expect(Array.from({ length: 5 }, () => twister.next())).toEqual([
      3499211612, 581869302, 3890346734, 3586334585, 545404204,
    ]);
    for (let i = 5; i < 9999; i++) twister.next();
    expect(twister.next()).toBe(4123659995); // the ten thousandth, as the C++ standard has it
  });

  it.each(SEEDS)("uniform: the bits of rand, seed %i", (seed) => {
    const twister = new MersenneTwister(seed);
    const wanted = rand([2000], { generator: new Generator(seed) }).toTypedArray();
    expect(Array.from(wanted as Float32Array, () => twister.uniform())).toEqual(Array.from(wanted as Float32Array));
  });

  it.each(SEEDS)("normal: the numbers of randn, seed %i", (seed) => {
    for (const count of [16, 17, 50, 3072, 30_001]) {
      const wanted = randn([count], { generator: new Generator(seed) }).toTypedArray() as Float32Array;
      const got = normalDraws(seed, count);
      const most = got.reduce((sum, value, i) => Math.max(sum, Math.abs(value - wanted[i])), 0);
      expect(most).toBeLessThan(4e-6);
      // Where LibTorch has AVX2's way it is the same bits, but for what its compiler has joined.
      const other = got.filter((value, i) => value !== wanted[i]).length;
      if (avx2) expect(other).toBeLessThanOrEqual(0.01 * count);
      if (avx2 && debian) expect(other).toBe(0);
    }
  });

  it("fewer than 16 are drawn in another way, and refused", () => {
    expect(() => normalDraws(1, 15)).toThrow("16 or more");
  });
});
