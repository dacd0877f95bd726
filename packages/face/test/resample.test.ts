import { type RgbImage, resizeImage } from "@omni-id/face";
import { describe, expect, it } from "vitest";
import { cutAndResample, resample } from "../src/resample.ts";

/** Waves that every size below can hold, and a slope. */
function waves(width: number, height: number): RgbImage {
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = [(x + 0.5) / width, (y + 0.5) / height];
      const at = 3 * (y * width + x);
      data[at] = Math.round(127.5 + 100 * Math.sin(9 * u + 4 * v));
      data[at + 1] = Math.round(20 + 200 * u);
      data[at + 2] = Math.round(127.5 + 90 * Math.cos(12 * v - 3 * u));
    }
  }
  return { width, height, data };
}

const difference = (a: RgbImage, b: RgbImage) =>
  a.data.reduce((most, value, i) => Math.max(most, Math.abs(value - b.data[i])), 0);

describe("resample", () => {
  it.each([
    [640, 480, 320, 240],
    [1280, 720, 320, 180],
    [1001, 667, 777, 518],
    [997, 1501, 213, 320],
    [160, 120, 240, 180],
  ])("%i×%i to %i×%i is the same scene at another size", (width, height, w, h) => {
    expect(difference(resample(waves(width, height), w, h), waves(w, h))).toBeLessThanOrEqual(3);
  });

  it("keeps detail and lets none alias, as the picture library does", async () => {
    const noise: RgbImage = { width: 900, height: 700, data: new Uint8Array(900 * 700 * 3) };
    let state = 1;
    noise.data.forEach((_, i) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      noise.data[i] = state >>> 24;
    });
    const [ours, theirs] = [resample(noise, 260, 200), await resizeImage(noise, 260, 200)];
    const power = ({ data }: RgbImage) =>
      Math.sqrt(data.reduce((sum, value) => sum + (value - 127.5) ** 2, 0) / data.length);
    expect(power(ours)).toBeGreaterThan(0.9 * power(theirs));
    expect(power(ours)).toBeLessThan(1.1 * power(theirs));
  });

  it("a cut part is what the whole picture has there", () => {
    const image = waves(400, 300);
    const box = { x: 40, y: 60, width: 200, height: 120 };
    const part = cutAndResample(image, box, 200, 120);
    expect([part.width, part.height]).toEqual([200, 120]);
    expect(part.data.subarray(0, 3)).toEqual(image.data.subarray(3 * (60 * 400 + 40), 3 * (60 * 400 + 40) + 3));
    const half = cutAndResample(image, box, 100, 60);
    expect(difference(half, resample(part, 100, 60))).toBe(0);
  });

  it("leaves one colour as it is, at any size", () => {
    const grey: RgbImage = { width: 123, height: 77, data: new Uint8Array(123 * 77 * 3).fill(201) };
    for (const [w, h] of [
      [20, 11],
      [122, 76],
      [300, 200],
      [1, 1],
    ])
      expect(resample(grey, w, h).data.every((value) => value === 201)).toBe(true);
  });
});
