import { alignmentMatrix, type Pose, transformPoints } from "@omni-id/face/plain";
import { type ExpressionName, withExpression } from "./expressions.ts";

/** Rows of a rotation matrix, one after the other. */
type Rotation = readonly number[];

/**
 * The head's rotation in image coordinates (x right, y down, z to the viewer): pitch first, then yaw, then roll, with
 * the signs of `Pose`. Degrees.
 */
export function headRotation({ yaw, pitch, roll }: Pose): Rotation {
  const [y, p, r] = [yaw, pitch, roll].map((degrees) => (degrees * Math.PI) / 180);
  const [cy, sy, cp, sp, cr, sr] = [Math.cos(y), Math.sin(y), Math.cos(p), Math.sin(p), Math.cos(r), Math.sin(r)];
  // Pitch up moves the nose (z) towards −y, yaw moves it towards +x, roll turns +x towards +y.
  const turn = [
    [cy, sy * sp, sy * cp],
    [0, cp, -sp],
  ];
  return [
    ...turn[0].map((value, i) => cr * value - sr * turn[1][i]),
    ...turn[0].map((value, i) => sr * value + cr * turn[1][i]),
  ];
}

/** 68 points in space, x0, y0, z0, …, to the picture plane in a pose: x0, y0, … (no perspective). */
export function projectFace(points: ArrayLike<number>, pose: Pose): Float32Array {
  const m = headRotation(pose);
  const out = new Float32Array((points.length / 3) * 2);
  for (let i = 0; 3 * i < points.length; i++) {
    const [x, y, z] = [points[3 * i], points[3 * i + 1], points[3 * i + 2]];
    out[2 * i] = m[0] * x + m[1] * y + m[2] * z;
    out[2 * i + 1] = m[3] * x + m[4] * y + m[5] * z;
  }
  return out;
}

/** How a face in space is held, degrees; roll is left to the picture. */
export interface HeadPose extends Pick<Pose, "yaw" | "pitch"> {
  /** Neutral when absent. */
  expression?: ExpressionName;
}

/**
 * Landmarks of a face in space in a pose, 136 numbers in pixels of an aligned crop of this side. Such crops have no roll:
 * the eyes are level.
 */
export function poseLandmarks(
  points: ArrayLike<number>,
  { yaw, pitch, expression }: HeadPose,
  side: number,
): Float32Array {
  return inAlignedCrop(projectFace(withExpression(points, expression), { yaw, pitch, roll: 0 }), side);
}

/** 68 landmarks of a photo in pixels of the aligned crop of their face: its pose and expression. */
export function inAlignedCrop(landmarks: ArrayLike<number>, side: number): Float32Array {
  return transformPoints(landmarks, alignmentMatrix(landmarks, side));
}

/** One picture that the mean face is fitted to. */
export interface FaceView {
  /** 68 points in any similar frame of the picture plane, x0, y0, … */
  landmarks: ArrayLike<number>;
  pose: Pose;
}

/**
 * The mean face in space, 68 × (x, y, z): the points whose projections in the pictures' known poses, each moved,
 * turned and scaled as it fits best, lie nearest to the landmarks. Alternates between these similarities and the
 * points, each a small least-squares problem. Expressions and people average out.
 */
export function fitMeanFace(views: readonly FaceView[], rounds = 12): Float32Array {
  if (views.length < 8) throw new Error(`a mean face wants 8 or more pictures, not ${views.length}`);
  const count = views[0].landmarks.length / 2;
  let points = flatStart(views, count);
  for (let round = 0; round < rounds; round++) {
    const seen = views.map(({ landmarks, pose }) => fitTo(landmarks, projectFace(points, pose)));
    points = solvePoints(views, seen, count);
  }
  return points;
}

/** Where the fit starts: the picture that looks straight ahead most nearly, with depth from an ellipsoid. */
function flatStart(views: readonly FaceView[], count: number): Float32Array {
  const turned = ({ pose }: FaceView) => Math.abs(pose.yaw) + Math.abs(pose.pitch);
  const front = views.reduce((best, view) => (turned(view) < turned(best) ? view : best));
  const { x, y, size } = centreOf(front.landmarks, count);
  const points = new Float32Array(3 * count);
  for (let i = 0; i < count; i++) {
    const [u, v] = [(front.landmarks[2 * i] - x) / size, (front.landmarks[2 * i + 1] - y) / size];
    points.set([u, v, Math.sqrt(Math.max(0, 4 - u * u - v * v)) - 2], 3 * i);
  }
  return points;
}

function centreOf(points: ArrayLike<number>, count: number) {
  let [x, y, size] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    x += points[2 * i] / count;
    y += points[2 * i + 1] / count;
  }
  for (let i = 0; i < count; i++) size += ((points[2 * i] - x) ** 2 + (points[2 * i + 1] - y) ** 2) / count;
  return { x, y, size: Math.sqrt(size) };
}

/** Landmarks moved, turned and scaled onto a projection (least squares). */
function fitTo(landmarks: ArrayLike<number>, onto: ArrayLike<number>): Float32Array {
  const count = onto.length / 2;
  const [from, to] = [centreOf(landmarks, count), centreOf(onto, count)];
  let [dot, cross, square] = [0, 0, 0];
  for (let i = 0; i < count; i++) {
    const [u, v] = [landmarks[2 * i] - from.x, landmarks[2 * i + 1] - from.y];
    const [p, q] = [onto[2 * i] - to.x, onto[2 * i + 1] - to.y];
    dot += u * p + v * q;
    cross += u * q - v * p;
    square += u * u + v * v;
  }
  const [c, s] = [dot / square, cross / square];
  return Float32Array.from({ length: 2 * count }, (_, k) => {
    const i = k >> 1;
    const [u, v] = [landmarks[2 * i] - from.x, landmarks[2 * i + 1] - from.y];
    return k % 2 === 0 ? c * u - s * v + to.x : s * u + c * v + to.y;
  });
}

/** The points of space whose projections come nearest to what is seen: normal equations, 3 × 3, shared by all points. */
function solvePoints(views: readonly FaceView[], seen: readonly Float32Array[], count: number): Float32Array {
  const normal = new Float64Array(9);
  const right = new Float64Array(3 * count);
  for (const [view, { pose }] of views.entries()) {
    const m = headRotation(pose);
    for (let row = 0; row < 2; row++) {
      for (let a = 0; a < 3; a++) {
        for (let b = 0; b < 3; b++) normal[3 * a + b] += m[3 * row + a] * m[3 * row + b];
        for (let i = 0; i < count; i++) right[3 * i + a] += m[3 * row + a] * seen[view][2 * i + row];
      }
    }
  }
  return solve3(normal, right);
}

/** Solves A x = b for many b of three numbers each, A symmetric 3 × 3 (Cramer's rule). */
function solve3(a: Float64Array, right: Float64Array): Float32Array {
  const det = (m: ArrayLike<number>) =>
    m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6]);
  const whole = det(a);
  return Float32Array.from(right, (_, place) => {
    const [column, first] = [place % 3, place - (place % 3)];
    const replaced = Float64Array.from(a, (value, k) => (k % 3 === column ? right[first + Math.floor(k / 3)] : value));
    return det(replaced) / whole;
  });
}
