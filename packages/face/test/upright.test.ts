import { describe, expect, it } from "vitest";
import { cropBox } from "../src/geometry.ts";
import { toPlanes } from "../src/network.ts";
import type { Box, RgbImage } from "../src/picture-types.ts";
import { drawUpright } from "../src/upright.ts";

const random = (() => {
  let state = 11;
  return () => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647;
  };
})();

const noise = (width: number, height: number): RgbImage => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, () => Math.floor(256 * random())),
});

/** Means of bilinear samples, pixel by pixel, as they were drawn before rows shared anything. */
function bySamples(image: RgbImage, box: Box, width: number, height: number): Uint8Array {
  const [sx, sy] = [width / box.width, height / box.height];
  const det = sx * sy;
  const [a, e, c, f] = [
    sy / det,
    sx / det,
    (0 * (-box.y * sy) - -box.x * sx * sy) / det,
    (0 - sx * (-box.y * sy)) / det,
  ];
  const samples = Math.max(1, Math.ceil(Math.sqrt(a * e) - 0.25));
  const at = (value: number, most: number) => Math.max(0, Math.min(most, value));
  return Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const [channel, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    let sum = 0;
    for (let j = 0; j < samples; j++) {
      for (let k = 0; k < samples; k++) {
        const px = at(a * (x + (k + 0.5) / samples) + c - 0.5, image.width - 1);
        const py = at(e * (y + (j + 0.5) / samples) + f - 0.5, image.height - 1);
        const [x0, y0] = [Math.floor(px), Math.floor(py)];
        const [x1, y1] = [Math.min(image.width - 1, x0 + 1), Math.min(image.height - 1, y0 + 1)];
        const value = (u: number, v: number) => image.data[3 * (v * image.width + u) + channel];
        const top = value(x0, y0) + (value(x1, y0) - value(x0, y0)) * (px - x0);
        const under = value(x0, y1) + (value(x1, y1) - value(x0, y1)) * (px - x0);
        sum += top + (under - top) * (py - y0);
      }
    }
    return sum * (1 / (samples * samples)) + 0.5;
  });
}

describe("a map that neither turns nor shears", () => {
  it("draws the same bytes as sample by sample: enlarged, shrunk, and beyond every edge", () => {
    const image = noise(37, 29);
    for (let round = 0; round < 40; round++) {
      const [width, height] = [4 + 90 * random(), 4 + 90 * random()];
      const box = { x: 60 * random() - 40, y: 60 * random() - 40, width, height };
      const [w, h] = [1 + Math.floor(24 * random()), 1 + Math.floor(24 * random())];
      expect(cropBox(image, box, w, h).data, JSON.stringify({ box, w, h })).toEqual(bySamples(image, box, w, h));
    }
  });

  it("may turn a picture over: rows are taken in any order", () => {
    const image = noise(5, 7);
    const flipped = drawUpright(
      image,
      { across: { scale: 1, shift: 0 }, down: { scale: -1, shift: 7 }, samples: 1 },
      5,
      7,
    );
    for (let y = 0; y < 7; y++)
      expect(flipped.data.subarray(15 * y, 15 * y + 15)).toEqual(image.data.subarray(15 * (6 - y), 15 * (7 - y)));
  });
});

it("planes hold every value less its mean, over its deviation", () => {
  const image = noise(16, 16);
  const [mean, deviation] = [
    [0.485 * 255, 127, 3.3],
    [0.229 * 255, 128, 7],
  ] as [[number, number, number], [number, number, number]];
  const planes = toPlanes(image, mean, deviation);
  for (let i = 0; i < planes.length; i++) {
    const [channel, pixel] = [Math.floor(i / 256), i % 256];
    expect(planes[i]).toBe(Math.fround((image.data[3 * pixel + channel] - mean[channel]) / deviation[channel]));
  }
});
