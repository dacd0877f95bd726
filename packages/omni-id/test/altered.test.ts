import { KeyedRandom } from "@omni-id/data";
import type { RgbImage } from "@omni-id/face";
import { expect, test } from "vitest";
import { alteredCopy } from "../src/pictures/altered.ts";

const side = 48;
/** A bright square on dark ground. */
const square: RgbImage = {
  width: side,
  height: side,
  data: Uint8Array.from({ length: 3 * side * side }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % side, Math.floor(i / 3 / side)];
    return x >= 12 && x < 36 && y >= 12 && y < 36 ? 190 : 60;
  }),
};
const greyOf = ({ data }: RgbImage, x: number, y: number) =>
  [0, 1, 2].reduce((sum, c) => sum + data[3 * (y * side + x) + c], 0) / 3;

test("a copy is another recording of the same picture: everything stays at its place", async () => {
  const copies = await Promise.all([0, 1, 2, 3, 4, 5].map((key) => alteredCopy(square, new KeyedRandom(key))));
  for (const copy of copies) {
    expect([copy.width, copy.height]).toEqual([side, side]);
    expect(greyOf(copy, 24, 24)).toBeGreaterThan(greyOf(copy, 4, 24) + 60);
    // The edges stand where they stood: halfway between the two.
    const [dark, bright] = [greyOf(copy, 4, 24), greyOf(copy, 24, 24)];
    const crossing = [...Array(side).keys()].findIndex((x) => greyOf(copy, x, 24) > (dark + bright) / 2);
    expect(Math.abs(crossing - 12)).toBeLessThanOrEqual(1);
  }
  expect(new Set(copies.map(({ data }) => Buffer.from(data).toString("base64"))).size).toBe(6);
  expect(await alteredCopy(square, new KeyedRandom(3))).toEqual(copies[3]);
});
