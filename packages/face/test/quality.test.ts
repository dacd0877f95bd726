import { type Pose, qualityParts, qualityScore, type RgbImage, resizeImage } from "@omni-id/face";
import { describe, expect, it } from "vitest";

const frontal: Pose = { yaw: 0, pitch: 0, roll: 0 };
const whole = ({ width, height }: RgbImage) => ({ x: 0, y: 0, width, height });

/** Detail of a few pixels on a middle grey. */
function picture(side: number, { contrast = 50, level = 128 } = {}): RgbImage {
  const data = new Uint8Array(side * side * 3);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [Math.floor(i / 3) % side, Math.floor(i / (3 * side))];
    data[i] = Math.max(0, Math.min(255, level + contrast * Math.sin(x / 1.5) * Math.cos(y / 1.7)));
  }
  return { width: side, height: side, data };
}

describe("quality", () => {
  const good = picture(200);
  const parts = (image: RgbImage, pose = frontal) => qualityParts(image, whole(image), pose);

  it("falls with blur, darkness, glare, smallness and turning away, each by its own part", async () => {
    const best = parts(good);
    const blurred = await resizeImage(await resizeImage(good, 25, 25), 200, 200);
    expect(parts(blurred).sharpness).toBeLessThan(0.5 * best.sharpness);
    expect(parts(picture(200, { level: 10, contrast: 8 })).exposure).toBeLessThan(0.2 * best.exposure);
    expect(parts(picture(200, { level: 250, contrast: 8 })).exposure).toBeLessThan(0.2 * best.exposure);
    expect(qualityParts(good, { x: 50, y: 50, width: 40, height: 40 }, frontal).size).toBeCloseTo(40 / 160, 6);
    expect(parts(good, { yaw: 60, pitch: 0, roll: 0 }).frontal).toBeCloseTo(0.5, 6);
    expect(parts(good, { yaw: 0, pitch: 0, roll: 45 }).frontal).toBe(1); // a tilt costs nothing: crops are upright
  });

  it("is one for the best, and never outside 0 … 1", () => {
    expect(qualityScore({ sharpness: 1, exposure: 1, size: 1, frontal: 1 })).toBe(1);
    expect(qualityScore({ sharpness: 0, exposure: 1, size: 1, frontal: 1 })).toBe(0);
    for (const value of Object.values(parts(good, { yaw: 170, pitch: 80, roll: 0 }))) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThanOrEqual(1);
    }
  });
});
