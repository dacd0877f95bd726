import { faceMask } from "@omni-id/face";
import { describe, expect, it } from "vitest";
import { schematicFace } from "./schematic-face.ts";

const face = schematicFace();

describe("faceMask", () => {
  const mask = faceMask(face, 200, 200);
  const inside = (x: number, y: number) => mask[Math.floor(y) * 200 + Math.floor(x)] === 255;

  it("holds eyes, nose, mouth and forehead, and nothing outside the jaw", () => {
    for (const [x, y] of [
      [75, 90],
      [125, 90],
      [100, 110],
      [100, 140],
      [100, 65],
    ])
      expect(inside(x, y)).toBe(true);
    for (const [x, y] of [
      [20, 90],
      [180, 90],
      [100, 185],
      [100, 10],
      [48, 160],
    ])
      expect(inside(x, y)).toBe(false);
  });
});
