import type { RgbImage } from "./image.ts";

/**
 * An affine map of the plane, row by row: x' = m[0]·x + m[1]·y + m[2], y' = m[3]·x + m[4]·y + m[5].
 * Coordinates are pixels from the image's top-left corner; the first pixel's centre is (0.5, 0.5).
 */
export type Affine = readonly [number, number, number, number, number, number];

/**
 * The rotation, scale and shift that brings `from` nearest to `to` (least squares, no reflection; Umeyama, 1991).
 * @param from x0, y0, x1, y1, … @param to as many points
 */
export function similarity(from: ArrayLike<number>, to: ArrayLike<number>): Affine {
  const n = from.length / 2;
  if (n < 2 || to.length !== from.length)
    throw new Error(`similarity: two equal lists of at least two points are wanted`);
  const [fx, fy, tx, ty] = [mean(from, 0), mean(from, 1), mean(to, 0), mean(to, 1)];
  let [dot, cross, size] = [0, 0, 0];
  for (let i = 0; i < from.length; i += 2) {
    const [x, y] = [from[i] - fx, from[i + 1] - fy];
    const [u, v] = [to[i] - tx, to[i + 1] - ty];
    dot += x * u + y * v;
    cross += x * v - y * u;
    size += x * x + y * y;
  }
  const [a, b] = [dot / size, cross / size];
  return [a, -b, tx - a * fx + b * fy, b, a, ty - b * fx - a * fy];
}

function mean(points: ArrayLike<number>, offset: 0 | 1): number {
  let sum = 0;
  for (let i = offset; i < points.length; i += 2) sum += points[i];
  return (sum * 2) / points.length;
}

/** The map back. @throws when the map squeezes the plane onto a line */
export function invert([a, b, c, d, e, f]: Affine): Affine {
  const det = a * e - b * d;
  if (Math.abs(det) < 1e-12) throw new Error("this affine map cannot be inverted");
  return [e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det];
}

/** Points x0, y0, … through a map. */
export function transformPoints(points: ArrayLike<number>, [a, b, c, d, e, f]: Affine): Float32Array {
  const out = new Float32Array(points.length);
  for (let i = 0; i < points.length; i += 2) {
    out[i] = a * points[i] + b * points[i + 1] + c;
    out[i + 1] = d * points[i] + e * points[i + 1] + f;
  }
  return out;
}

/**
 * Draws `image` through a map into a picture of `width` × `height`. Where the map shrinks, each pixel is the mean of
 * enough samples that fine detail does not alias; outside the image its edge is repeated.
 * @param matrix from image coordinates to coordinates of the result
 */
export function warp(image: RgbImage, matrix: Affine, width: number, height: number): RgbImage {
  const [a, b, c, d, e, f] = invert(matrix);
  const samples = Math.max(1, Math.ceil(Math.sqrt(Math.abs(a * e - b * d)) - 0.25));
  const data = new Uint8Array(width * height * 3);
  const share = 1 / (samples * samples);
  const sum = new Float64Array(3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      sum.fill(0);
      for (let j = 0; j < samples; j++) {
        const v = y + (j + 0.5) / samples;
        for (let i = 0; i < samples; i++) {
          const u = x + (i + 0.5) / samples;
          addBilinear(image, a * u + b * v + c - 0.5, d * u + e * v + f - 0.5, sum);
        }
      }
      const at = (y * width + x) * 3;
      data[at] = sum[0] * share + 0.5;
      data[at + 1] = sum[1] * share + 0.5;
      data[at + 2] = sum[2] * share + 0.5;
    }
  }
  return { width, height, data };
}

/** Adds the colour at (x, y), where whole numbers are pixel centres. */
function addBilinear({ width, height, data }: RgbImage, x: number, y: number, sum: Float64Array): void {
  const cx = Math.max(0, Math.min(width - 1, x));
  const cy = Math.max(0, Math.min(height - 1, y));
  const x0 = Math.floor(cx);
  const y0 = Math.floor(cy);
  const [fx, fy] = [cx - x0, cy - y0];
  const right = x0 + 1 < width ? 3 : 0;
  const down = y0 + 1 < height ? width * 3 : 0;
  const at = (y0 * width + x0) * 3;
  for (let k = 0; k < 3; k++) {
    const p = at + k;
    const top = data[p] + (data[p + right] - data[p]) * fx;
    const bottom = data[p + down] + (data[p + down + right] - data[p + down]) * fx;
    sum[k] += top + (bottom - top) * fy;
  }
}

/** An upright rectangle in pixels, from its top-left corner. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The part of an image inside a box, which may reach beyond its edges, at another size. */
export function cropBox(image: RgbImage, { x, y, width, height }: Box, outWidth: number, outHeight: number): RgbImage {
  const [sx, sy] = [outWidth / width, outHeight / height];
  return warp(image, [sx, 0, -x * sx, 0, sy, -y * sy], outWidth, outHeight);
}
