import { type BodyModel, mirrorOf } from "./body-model.ts";

/** Base-mesh positions along the jaw, from beside the right ear to the chin. */
const JAW = [5405, 5402, 5411, 859, 5097, 866, 911, 739, 740, 893, 892, 3697, 917, 916, 5222, 5167, 5225];
const CHIN = 5225;
const RIGHT_BROW = [5262, 225, 204, 205, 209];
const NOSE_BRIDGE = [132, 131, 164, 294];
const NOSTRILS = [286, 313, 317];
const RIGHT_EYE = [18, 6, 54, 69, 47, 36];
const UPPER_LIP = [500, 5354, 450, 455];
const LOWER_LIP = [492, 486, 406];
const INNER_UPPER = [431, 514, 520];
const INNER_LOWER = [493, 487];

const cache = new WeakMap<BodyModel, number[]>();

/** The 68 iBUG points as positions of the base mesh; the left half mirrors the right one. */
export function landmarkPositions(model: BodyModel): number[] {
  const known = cache.get(model);
  if (known) return known;
  const mirror = mirrorOf(model.positions);
  const mirrored = (list: readonly number[]) => list.map(mirror);
  const jaw = evenly(model, JAW, 8);
  const [tip, ...inner] = [...NOSTRILS].reverse();
  const ids = [
    ...jaw,
    CHIN,
    ...mirrored(jaw).reverse(),
    ...RIGHT_BROW,
    ...mirrored(RIGHT_BROW).reverse(),
    ...NOSE_BRIDGE,
    ...NOSTRILS.slice(0, 2),
    tip,
    ...mirrored(inner),
    ...RIGHT_EYE,
    ...[3, 2, 1, 0, 5, 4].map((i) => mirror(RIGHT_EYE[i])),
    ...UPPER_LIP,
    ...mirrored(UPPER_LIP.slice(0, 3)).reverse(),
    ...mirrored(LOWER_LIP.slice(1)).reverse(),
    ...LOWER_LIP,
    ...INNER_UPPER,
    ...mirrored(INNER_UPPER.slice(0, 2)).reverse(),
    mirror(INNER_LOWER[1]),
    ...INNER_LOWER,
  ];
  cache.set(model, ids);
  return ids;
}

/** `count` positions of a path, evenly spaced as seen from the front, without its end. */
function evenly({ positions }: BodyModel, path: readonly number[], count: number): number[] {
  const along = [0];
  for (let i = 1; i < path.length; i++) {
    const [a, b] = [path[i - 1], path[i]];
    const step = Math.hypot(positions[3 * a] - positions[3 * b], positions[3 * a + 1] - positions[3 * b + 1]);
    along.push(along[i - 1] + step);
  }
  const length = along[along.length - 1];
  return Array.from({ length: count }, (_, k) => {
    const distances = along.map((at) => Math.abs(at - (length * k) / count));
    return path[distances.indexOf(Math.min(...distances))];
  });
}

/** Outlines in the base face's front view (x, y), for painting: from landmark positions. */
export function outline(model: BodyModel, points: readonly number[]): [number, number][] {
  const ids = landmarkPositions(model);
  return points.map((point) => [model.positions[3 * ids[point]], model.positions[3 * ids[point] + 1]]);
}

/** Signed distance to a polygon, negative inside. */
export function polygonDistance(x: number, y: number, polygon: readonly (readonly [number, number])[]): number {
  let nearest = Number.POSITIVE_INFINITY;
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [ax, ay] = polygon[i];
    const [bx, by] = polygon[j];
    const [ex, ey] = [bx - ax, by - ay];
    const t = Math.max(0, Math.min(1, ((x - ax) * ex + (y - ay) * ey) / (ex * ex + ey * ey + 1e-12)));
    nearest = Math.min(nearest, (x - ax - ex * t) ** 2 + (y - ay - ey * t) ** 2);
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside ? -Math.sqrt(nearest) : Math.sqrt(nearest);
}
