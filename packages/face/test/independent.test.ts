import { readFileSync } from "node:fs";
import { IndependentRecogniser } from "@omni-id/face";
import { noGrad, scope, tensor } from "@omni-id/torch";
import { expect, it } from "vitest";

/** Features of the chips below by `make_independent.py`: another writing of the network, in NumPy float64. */
const expected = JSON.parse(readFileSync(new URL("fixtures/independent.json", import.meta.url), "utf8")) as number[][];

function chip(k: number): Float32Array {
  return Float32Array.from({ length: 3 * 150 * 150 }, (_, i) => {
    const [c, y, x] = [Math.floor(i / 22500), Math.floor(i / 150) % 150, i % 150];
    return 0.5 * Math.sin(x / (9 + k) + c) + 0.4 * Math.cos(y / 13 - c);
  });
}

it("dlib's recogniser gives the features of its reference, alone and in a batch", () => {
  const recogniser = IndependentRecogniser.load();
  const both = Float32Array.from([...chip(0), ...chip(1)]);
  scope(() =>
    noGrad(() => {
      const features = recogniser.embed(tensor(both, { shape: [2, 3, 150, 150] }));
      expect(features.shape).toEqual([2, 128]);
      for (const [row, wanted] of expected.entries()) {
        const got = features.select(0, row).toTypedArray() as Float32Array;
        expect(Math.max(...wanted.map((value, i) => Math.abs(value - got[i])))).toBeLessThan(1e-5);
      }
      const alone = recogniser.embed(tensor(chip(1), { shape: [1, 3, 150, 150] }));
      expect(
        alone
          .sub(features.narrow(0, 1, 1))
          .abs()
          .flatten()
          .amax([0])
          .item(),
      ).toBeLessThan(1e-5);
    }),
  );
});
