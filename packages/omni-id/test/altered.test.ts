import { KeyedRandom } from "@omni-id/data";
import type { RgbImage } from "@omni-id/face";
import { expect, test } from "vitest";
import { alteredCopy, framedOtherwise, savedAgain } from "../src/pictures/altered.ts";

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

test("saved again, it also has the traces of a JPEG: same places, other bytes, the same for the same key", async () => {
  const [plain, saved, again] = await Promise.all([
    alteredCopy(square, new KeyedRandom(9)),
    savedAgain(square, new KeyedRandom(9)),
    savedAgain(square, new KeyedRandom(9)),
  ]);
  expect(again).toEqual(saved);
  expect(saved.data).not.toEqual(plain.data);
  const far = saved.data.reduce((sum, value, i) => sum + Math.abs(value - plain.data[i]), 0) / saved.data.length;
  expect(far).toBeLessThan(8);
});

test("framed otherwise, a face keeps its form: it is turned, scaled and shifted a little, in every direction", () => {
  const points = [10, 10, 50, 12, 30, 30, 20, 50, 40, 52];
  const distance = (p: ArrayLike<number>, i: number, j: number) =>
    Math.hypot(p[2 * i] - p[2 * j], p[2 * i + 1] - p[2 * j + 1]);
  const zooms: number[] = [];
  const angles: number[] = [];
  for (let key = 0; key < 200; key++) {
    const framed = framedOtherwise(points, new KeyedRandom(key));
    const zoom = distance(framed, 0, 1) / distance(points, 0, 1);
    for (const [i, j] of [
      [0, 2],
      [1, 3],
      [2, 4],
    ] as const) {
      expect(distance(framed, i, j) / distance(points, i, j)).toBeCloseTo(zoom, 4);
    }
    zooms.push(zoom);
    const angle = (p: ArrayLike<number>) => (Math.atan2(p[3] - p[1], p[2] - p[0]) * 180) / Math.PI;
    angles.push(angle(framed) - angle(points));
  }
  expect(Math.min(...zooms)).toBeGreaterThanOrEqual(0.94);
  expect(Math.max(...zooms)).toBeLessThanOrEqual(1.06);
  expect(Math.max(...zooms) - Math.min(...zooms)).toBeGreaterThan(0.1);
  expect(Math.max(...angles.map(Math.abs))).toBeLessThanOrEqual(4.001);
  expect(Math.min(...angles)).toBeLessThan(-3);
  expect(Math.max(...angles)).toBeGreaterThan(3);
});
