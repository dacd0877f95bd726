import type { Affine, Box, RgbImage } from "./picture-types.ts";
import { drawUpright } from "./upright.ts";

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
  if (b === 0 && d === 0) {
    const map = { across: { scale: a, shift: c }, down: { scale: e, shift: f }, samples };
    return drawUpright(image, map, width, height);
  }
  const data = new Uint8Array(width * height * 3);
  const share = 1 / (samples * samples);
  const { data: from, width: columns } = image;
  const [right, bottom] = [columns - 1, image.height - 1];
  const row = columns * 3;
  // The innermost loop of all face analysis: bilinear samples, written out flat.
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let j = 0; j < samples; j++) {
        const v = y + (j + 0.5) / samples;
        for (let i = 0; i < samples; i++) {
          const u = x + (i + 0.5) / samples;
          const px = a * u + b * v + c - 0.5; // whole numbers are pixel centres
          const py = d * u + e * v + f - 0.5;
          const cx = Math.max(0, Math.min(right, px));
          const cy = Math.max(0, Math.min(bottom, py));
          const x0 = cx | 0;
          const y0 = cy | 0;
          const fx = cx - x0;
          const fy = cy - y0;
          const p = (y0 * columns + x0) * 3;
          const q = x0 < right ? p + 3 : p;
          const down = y0 < bottom ? row : 0;
          let top = from[p] + (from[q] - from[p]) * fx;
          red += top + (from[p + down] + (from[q + down] - from[p + down]) * fx - top) * fy;
          top = from[p + 1] + (from[q + 1] - from[p + 1]) * fx;
          green += top + (from[p + 1 + down] + (from[q + 1 + down] - from[p + 1 + down]) * fx - top) * fy;
          top = from[p + 2] + (from[q + 2] - from[p + 2]) * fx;
          blue += top + (from[p + 2 + down] + (from[q + 2 + down] - from[p + 2 + down]) * fx - top) * fy;
        }
      }
      const at = (y * width + x) * 3;
      data[at] = red * share + 0.5;
      data[at + 1] = green * share + 0.5;
      data[at + 2] = blue * share + 0.5;
    }
  }
  return { width, height, data };
}

/** The part of an image inside a box, which may reach beyond its edges, at another size; the image itself where it is all of it. */
export function cropBox(image: RgbImage, { x, y, width, height }: Box, outWidth: number, outHeight: number): RgbImage {
  const whole = x === 0 && y === 0 && width === image.width && height === image.height;
  if (whole && width === outWidth && height === outHeight) return image; // what the map would draw, bit for bit
  const [sx, sy] = [outWidth / width, outHeight / height];
  return warp(image, [sx, 0, -x * sx, 0, sy, -y * sy], outWidth, outHeight);
}
