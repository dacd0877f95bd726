import type { Box } from "./picture-types.ts";

/** Places of the iBUG 68-point order. */
export const POINTS = {
  jaw: [0, 17],
  rightBrow: [17, 22],
  leftBrow: [22, 27],
  nose: [27, 36],
  rightEye: [36, 42],
  leftEye: [42, 48],
  mouth: [48, 68],
} as const;

/**
 * The five points that alignment templates use: right eye, left eye (the person's; image left comes first), nose tip,
 * mouth corners. @param landmarks 68 points, x0, y0, … @returns ten numbers
 */
export function fivePoints(landmarks: ArrayLike<number>): Float32Array {
  const centre = (...points: number[]) =>
    [0, 1].map((k) => points.reduce((s, p) => s + landmarks[2 * p + k], 0) / points.length);
  return Float32Array.from([
    ...centre(37, 38, 40, 41),
    ...centre(43, 44, 46, 47),
    ...centre(30),
    ...centre(48, 60),
    ...centre(54, 64),
  ]);
}

/** The smallest upright box around all points. */
export function boundingBox(points: ArrayLike<number>): Box {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i += 2) {
    left = Math.min(left, points[i]);
    right = Math.max(right, points[i]);
    top = Math.min(top, points[i + 1]);
    bottom = Math.max(bottom, points[i + 1]);
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}
