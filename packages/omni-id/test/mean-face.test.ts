import { KeyedRandom } from "@omni-id/data";
import { describe, expect, it } from "vitest";
import { drawLandmarks } from "../src/pictures/landmark-picture.ts";
import { fitMeanFace, headRotation, projectFace } from "../src/pictures/mean-face.ts";

describe("headRotation", () => {
  it("turns the nose where Pose says: right, up; and tilts clockwise", () => {
    const nose = [0, 0, 1];
    const at = (pose: { yaw: number; pitch: number; roll: number }) => [...projectFace(nose, pose)];
    expect(at({ yaw: 30, pitch: 0, roll: 0 })[0]).toBeCloseTo(0.5, 5);
    expect(at({ yaw: 0, pitch: 30, roll: 0 })[1]).toBeCloseTo(-0.5, 5); // y points down
    const right = projectFace([1, 0, 0], { yaw: 0, pitch: 0, roll: 30 });
    expect(right[1]).toBeCloseTo(0.5, 5); // what was right goes down: clockwise
    const rows = headRotation({ yaw: 20, pitch: -10, roll: 40 });
    expect(Math.hypot(...rows.slice(0, 3))).toBeCloseTo(1, 6);
    expect(rows[0] * rows[3] + rows[1] * rows[4] + rows[2] * rows[5]).toBeCloseTo(0, 6);
  });
});

describe("fitMeanFace", () => {
  const random = new KeyedRandom(5);
  const face = Float32Array.from({ length: 68 * 3 }, () => random.normal());
  const views = Array.from({ length: 60 }, () => {
    const pose = { yaw: random.range(-50, 50), pitch: random.range(-25, 25), roll: random.range(-20, 20) };
    const [angle, scale, x, y] = [random.range(-1, 1), random.range(5, 9), random.range(0, 60), random.range(0, 60)];
    const [c, s] = [scale * Math.cos(angle), scale * Math.sin(angle)];
    const flat = projectFace(face, pose);
    const landmarks = flat.map((_, k) => {
      const [u, v] = [flat[k - (k % 2)], flat[k - (k % 2) + 1]];
      return k % 2 === 0 ? c * u - s * v + x : s * u + c * v + y;
    });
    return { landmarks, pose };
  });

  it("finds the points again, up to size and place, from pictures of any size, place and turn", () => {
    const found = fitMeanFace(views, 60);
    const centred = (points: Float32Array) => {
      const mean = [0, 1, 2].map((k) => points.reduce((sum, value, i) => sum + (i % 3 === k ? value / 68 : 0), 0));
      const out = points.map((value, i) => value - mean[i % 3]);
      const size = Math.hypot(...out);
      return out.map((value) => value / size);
    };
    const [a, b] = [centred(found), centred(face)];
    expect(Math.hypot(...a.map((value, i) => value - b[i]))).toBeLessThan(0.02);
  });

  it("wants some pictures", () => {
    expect(() => fitMeanFace(views.slice(0, 3))).toThrow(/8 or more pictures, not 3/);
  });
});

describe("drawLandmarks", () => {
  it("draws each part in its colour, black elsewhere, and cuts off what lies outside", () => {
    const side = 64;
    const points = new Float32Array(136).fill(-1000);
    const at = (place: number, x: number, y: number) => points.set([x, y], 2 * place);
    for (let i = 0; i < 17; i++) at(i, 8 + 3 * i, 50.5); // the jaw: a straight line
    const picture = drawLandmarks(points, side);
    const pixel = (x: number, y: number) => [0, 1, 2].map((channel) => picture[channel * side * side + y * side + x]);
    expect(pixel(30, 50)).toEqual([1, 1, 1]);
    expect(pixel(30, 40)).toEqual([-1, -1, -1]);
    expect(Math.min(...picture)).toBe(-1);
    expect(Math.max(...picture)).toBe(1);
  });
});
