import { describe, expect, test } from "vitest";
import { sceneChange, thumbnail } from "../src/curate/cuts.ts";
import { KeyedRandom } from "../src/random.ts";

/** A picture of random blocks, seen with another light, or with a dark bar on each side. */
function scene(seed: number, { light = 1, shift = 0, bars = 0 } = {}) {
  const [width, height] = [320, 180];
  const random = new KeyedRandom(seed);
  const blocks = Array.from({ length: 12 * 12 }, () => random.range(20, 200));
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = bars; x < width - bars; x++) {
      const column = Math.floor(((x - bars + shift) / (width - 2 * bars + 12)) * 12);
      const value = light * blocks[12 * Math.floor((y / height) * 12) + Math.min(11, column)];
      data.fill(Math.min(255, value), 3 * (y * width + x), 3 * (y * width + x) + 3);
    }
  }
  return thumbnail({ width, height, data });
}

describe("sceneChange", () => {
  test("nothing for the same picture in other light, little for one that moved, much for another", () => {
    expect(sceneChange(scene(1), scene(1))).toBe(0);
    expect(sceneChange(scene(1), scene(1, { light: 0.7 }))).toBeLessThan(0.02);
    expect(sceneChange(scene(1), scene(1, { shift: 6 }))).toBeLessThan(0.5);
    for (const seed of [2, 3, 4]) expect(sceneChange(scene(1), scene(seed))).toBeGreaterThan(0.8);
  });
  test("bars beside the film do not water a cut down", () => {
    const [a, b] = [scene(1, { bars: 80 }), scene(2, { bars: 80 })];
    expect(sceneChange(a, b)).toBeGreaterThan(0.8);
  });
  test("blank frames: none to another is a change, none between two", () => {
    const blank = new Float32Array(scene(1).length);
    expect(sceneChange(blank, scene(1))).toBeGreaterThan(1);
    expect(sceneChange(blank, blank)).toBe(0);
  });
});
