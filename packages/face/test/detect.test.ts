import { describe, expect, it } from "vitest";
import { decode, overlap, suppress } from "../src/detect.ts";

const box = (x: number, y: number, size: number) => ({ x, y, width: size, height: size });

describe("overlap", () => {
  it("is intersection over union", () => {
    expect(overlap(box(0, 0, 10), box(0, 0, 10))).toBe(1);
    expect(overlap(box(0, 0, 10), box(5, 0, 10))).toBeCloseTo(50 / 150, 12);
    expect(overlap(box(0, 0, 10), box(2, 3, 4))).toBeCloseTo(16 / 100, 12);
    expect(overlap(box(0, 0, 10), box(10, 0, 10))).toBe(0);
  });
});

describe("suppress", () => {
  it("keeps the best of boxes on the same face, and other faces", () => {
    const detections = [
      { box: box(1, 0, 10), score: 0.8 },
      { box: box(0, 0, 10), score: 0.9 },
      { box: box(30, 0, 10), score: 0.7 },
      { box: box(0, 1, 10), score: 0.95 },
    ];
    expect(suppress(detections).map(({ score }) => score)).toEqual([0.95, 0.7]);
  });
});

describe("decode", () => {
  it("turns shares of the frame into pixels of the photo, and leaves out what is no face", () => {
    const frame = { x: 100, y: -20, width: 400, height: 300 };
    const scores = Float32Array.from([0.9, 0.1, 0.2, 0.8, Number.NaN, Number.NaN]);
    const boxes = Float32Array.from([0, 0, 1, 1, 0.25, 0.5, 0.5, 0.75, 0, 0, 1, 1]);
    const [found, ...others] = decode(scores, boxes, frame, 0.65);
    expect(others).toEqual([]);
    expect(found.score).toBeCloseTo(0.8, 6);
    expect(found.box).toEqual({ x: 200, y: 130, width: 100, height: 75 });
  });
});
