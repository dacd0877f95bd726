import type { Pose } from "@omni-id/face/analysis";
import { KeyedRandom } from "../random.ts";

/** Roll turns a picture and changes no face: it counts half. */
const ROLL = 0.5;

/** A head pose as a point; distances are degrees. */
export const posePoint = ({ yaw, pitch, roll }: Pose): number[] => [yaw, pitch, ROLL * roll];

export function poseDistance(a: Pose, b: Pose): number {
  return distance(posePoint(a), posePoint(b));
}

const MOST_ROUNDS = 50;

/**
 * k-means over points, started by k-means++ (Arthur & Vassilvitskii, 2007) from a seeded draw. Empty clusters vanish.
 * @returns the points' numbers, by cluster
 */
export function cluster(points: readonly (readonly number[])[], count: number, seed: number): number[][] {
  const k = Math.min(count, points.length);
  if (k === 0) return [];
  let centres = spreadCentres(points, k, seed);
  let assigned: number[] = [];
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const next = points.map((point) => nearest(point, centres));
    if (next.every((cluster, i) => cluster === assigned[i])) break;
    assigned = next;
    centres = centres.map((centre, c) => meanOf(points.filter((_, i) => assigned[i] === c)) ?? centre);
  }
  return centres
    .map((_, c) => assigned.flatMap((own, i) => (own === c ? [i] : [])))
    .filter((members) => members.length > 0);
}

function spreadCentres(points: readonly (readonly number[])[], k: number, seed: number): number[][] {
  const random = new KeyedRandom(seed, points.length, k, 0x705e);
  const centres = [[...points[random.below(points.length)]]];
  const far = points.map((point) => distance(point, centres[0]) ** 2);
  while (centres.length < k) {
    let left = random.uniform() * far.reduce((sum, value) => sum + value, 0);
    let chosen = far.findIndex((value) => {
      left -= value;
      return left < 0;
    });
    if (chosen < 0) chosen = far.indexOf(Math.max(...far)); // all points are centres already, or the last of rounding
    centres.push([...points[chosen]]);
    for (const [i, point] of points.entries()) far[i] = Math.min(far[i], distance(point, points[chosen]) ** 2);
  }
  return centres;
}

function nearest(point: readonly number[], centres: readonly (readonly number[])[]): number {
  let [found, least] = [0, Number.POSITIVE_INFINITY];
  for (const [c, centre] of centres.entries()) {
    const away = distance(point, centre);
    if (away < least) [found, least] = [c, away];
  }
  return found;
}

function meanOf(points: readonly (readonly number[])[]): number[] | undefined {
  if (points.length === 0) return undefined;
  return points[0].map((_, axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
}

function distance(a: readonly number[], b: readonly number[]): number {
  return Math.hypot(...a.map((value, axis) => value - b[axis]));
}
