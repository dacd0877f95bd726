import { boundingBox, fivePoints, POINTS } from "@omni-id/face";
import { expect, it } from "vitest";
import { schematicFace } from "./schematic-face.ts";

it("the parts of a face follow each other and make 68 points", () => {
  const parts = Object.values(POINTS);
  expect(parts[0][0]).toBe(0);
  expect(parts.at(-1)?.[1]).toBe(68);
  for (const [i, [from]] of parts.slice(1).entries()) expect(from).toBe(parts[i][1]);
});

it("the five points are the middles of the eyes, the nose's tip and the mouth's corners", () => {
  const five = fivePoints(schematicFace());
  expect([...five.subarray(0, 4)]).toEqual([75, 89.5, 125, 89.5]);
  expect([...five.subarray(4, 6)]).toEqual([100, 112]);
  expect(five[7]).toBeCloseTo(five[9], 4);
  expect((five[6] + five[8]) / 2).toBeCloseTo(100, 4);
});

it("the box is the smallest around all points", () => {
  expect(boundingBox([3, 4, -1, 10, 7, 5])).toEqual({ x: -1, y: 4, width: 8, height: 6 });
});
