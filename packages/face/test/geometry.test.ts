import { describe, expect, it } from "vitest";
import { cropBox, invert, similarity, transformPoints, warp } from "../src/geometry.ts";
import type { Affine, RgbImage } from "../src/picture-types.ts";

const random = (() => {
  let state = 7;
  return () => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647;
  };
})();

function picture(width: number, height: number, colour: (x: number, y: number) => number): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++)
      data.fill(Math.round(colour(x + 0.5, y + 0.5)), (y * width + x) * 3, (y * width + x) * 3 + 3);
  }
  return { width, height, data };
}

describe("similarity", () => {
  it("finds the rotation, scale and shift that made the points", () => {
    for (let round = 0; round < 50; round++) {
      const [angle, scale] = [random() * 6, 0.2 + 3 * random()];
      const [cos, sin] = [Math.cos(angle) * scale, Math.sin(angle) * scale];
      const made: Affine = [cos, -sin, 10 * random(), sin, cos, -5 * random()];
      const points = Float64Array.from({ length: 10 }, () => 100 * random());
      const found = similarity(points, transformPoints(points, made));
      for (const [i, value] of found.entries()) expect(value).toBeCloseTo(made[i], 3);
    }
  });

  it("is the best in the sense of least squares when the points do not fit", () => {
    const from = [0, 0, 10, 0, 10, 10, 0, 10];
    const to = [1, 0, 12, 1, 9, 11, -1, 9];
    const error = (m: Affine) => transformPoints(from, m).reduce((sum, value, i) => sum + (value - to[i]) ** 2, 0);
    const best = similarity(from, to);
    const least = error(best);
    for (let i = 0; i < 6; i++) {
      // A similarity has four parameters: move a and b together with their twins.
      const [a, , c, b, , f] = best;
      const nudge = (i % 2 ? 1 : -1) * 1e-3;
      const near: Affine[] = [
        [a + nudge, -b, c, b, a + nudge, f],
        [a, -(b + nudge), c, b + nudge, a, f],
        [a, -b, c + nudge, b, a, f + nudge],
      ];
      expect(error(near[i % 3])).toBeGreaterThanOrEqual(least - 1e-6);
    }
  });
});

describe("invert", () => {
  it("undoes a map", () => {
    const map: Affine = [1.2, 0.3, -4, -0.5, 0.9, 8];
    const points = [0, 0, 3, 7, -2, 5];
    const back = transformPoints(transformPoints(points, map), invert(map));
    for (const [i, value] of back.entries()) expect(value).toBeCloseTo(points[i], 5);
    expect(() => invert([1, 2, 0, 2, 4, 0])).toThrow(/cannot be inverted/);
  });
});

describe("warp", () => {
  it("keeps a picture when nothing moves", () => {
    const image = picture(9, 7, () => 255 * random());
    expect([...warp(image, [1, 0, 0, 0, 1, 0], 9, 7).data]).toEqual([...image.data]);
  });

  it("moves a gradient by exactly the shift, between pixels too", () => {
    const image = picture(64, 64, (x, y) => 2 * x + y);
    const moved = warp(image, [1, 0, 2.5, 0, 1, -1], 32, 32);
    // A pixel at (x, y) of the result shows (x − 2.5, y + 1) of the picture.
    expect(moved.data[(10 * 32 + 20) * 3]).toBe(Math.round(2 * (20.5 - 2.5) + (10.5 + 1)));
  });

  it("averages when it shrinks: a fine checkerboard becomes grey", () => {
    const board = picture(256, 256, (x, y) => 255 * ((Math.floor(x) + Math.floor(y)) % 2));
    const small = warp(board, [1 / 8, 0, 0, 0, 1 / 8, 0], 32, 32);
    for (const value of small.data) expect(Math.abs(value - 127.5)).toBeLessThan(4);
  });
});

describe("cropBox", () => {
  it("reaches beyond the edge by repeating it", () => {
    const image = picture(10, 10, (x) => 20 * x);
    const crop = cropBox(image, { x: -5, y: 0, width: 10, height: 10 }, 10, 10);
    expect(crop.data[0]).toBe(10);
    expect(crop.data[9 * 3]).toBe(Math.round(20 * 4.5));
  });
});

describe("cropBox", () => {
  it("of the whole picture at its own size is what the map would draw", () => {
    const image = picture(17, 11, () => 255 * random());
    expect(cropBox(image, { x: 0, y: 0, width: 17, height: 11 }, 17, 11)).toEqual(
      warp(image, [1, 0, 0, 0, 1, 0], 17, 11),
    );
  });
});
