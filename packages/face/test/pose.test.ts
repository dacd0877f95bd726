import { expect, it } from "vitest";
import { expectedDegrees } from "../src/pose.ts";

const logits = (at: (bin: number) => number) => Float32Array.from({ length: 66 }, (_, bin) => at(bin));

it("reads the middle of the bins' weights, three degrees a bin from −99", () => {
  expect(expectedDegrees(logits((bin) => (bin === 40 ? 60 : 0)))).toBeCloseTo(3 * 40 - 99, 4);
  expect(expectedDegrees(logits(() => 5))).toBeCloseTo(3 * 32.5 - 99, 4);
  // Two bins, one with three times the weight of the other.
  const two = logits((bin) => (bin === 10 ? Math.log(3) : bin === 20 ? 0 : -80));
  expect(expectedDegrees(two)).toBeCloseTo(3 * (0.75 * 10 + 0.25 * 20) - 99, 4);
});

it("is not troubled by large logits", () => {
  expect(expectedDegrees(logits((bin) => (bin === 33 ? 1000 : 900)))).toBeCloseTo(0, 4);
});
