import { faceMask } from "./face-mask.ts";
import type { RgbImage } from "./picture-types.ts";

/** Squared Mahalanobis distance from the colours of the cheeks beyond which a pixel of the forehead is no skin. */
const NOT_SKIN = 14;
/** Light and noise spread colours by at least this much, in 0…255. */
const LEAST_SPREAD = 14;

/**
 * {@link faceMask} without the hair that hangs over the forehead: above the brows only what has the colours of nose
 * and cheeks stays. Meant for an aligned crop, whose face is upright.
 * @param landmarks 68 points in pixels of `image`
 */
export function faceMaskWithoutHair(image: RgbImage, landmarks: ArrayLike<number>): Uint8Array {
  const { width, height } = image;
  const mask = faceMask(landmarks, width, height);
  const y = (point: number) => landmarks[2 * point + 1];
  const [brows, eyes, mouth] = [
    mean([19, 20, 23, 24].map(y)),
    mean([40, 41, 46, 47].map(y)),
    mean([50, 51, 52].map(y)),
  ];
  const skin = colours(image, mask, eyes, mouth);
  if (!skin) return mask;
  const end = Math.min(height, Math.round(brows));
  const isSkin = new Uint8Array(width * height);
  const looked = Math.min(height, end + 1) * width; // a row more, for the last one's neighbours
  for (let i = 0; i < looked; i++) isSkin[i] = Number(distance(skin, image.data, 3 * i) < NOT_SKIN);
  for (let row = 0; row < end; row++) {
    for (let x = 0; x < width; x++) {
      if (!mostly(isSkin, x, row, width, height)) mask[row * width + x] = 0;
    }
  }
  return mask;
}

interface Colours {
  centre: number[];
  /** Inverse of the covariance, row by row. */
  precision: number[];
}

/** Mean and spread of the face's colours between two heights. */
function colours({ width, data }: RgbImage, mask: Uint8Array, top: number, bottom: number): Colours | undefined {
  const samples: number[] = [];
  for (let i = Math.max(0, Math.round(top)) * width; i < Math.min(mask.length, Math.round(bottom) * width); i++) {
    if (mask[i] > 0) samples.push(3 * i);
  }
  if (samples.length < 30) return undefined;
  const meanOf = (value: (at: number) => number) => {
    let sum = 0;
    for (const at of samples) sum += value(at);
    return sum / samples.length;
  };
  const centre = [0, 1, 2].map((c) => meanOf((at) => data[at + c]));
  const spread = (a: number, b: number) =>
    meanOf((at) => (data[at + a] - centre[a]) * (data[at + b] - centre[b])) + (a === b ? LEAST_SPREAD ** 2 : 0);
  const [rr, rg, rb, gg, gb, bb] = [spread(0, 0), spread(0, 1), spread(0, 2), spread(1, 1), spread(1, 2), spread(2, 2)];
  const adjugate = [
    ...[gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg],
    ...[rb * gb - rg * bb, rr * bb - rb * rb, rg * rb - rr * gb],
    ...[rg * gb - rb * gg, rg * rb - rr * gb, rr * gg - rg * rg],
  ];
  const determinant = rr * adjugate[0] + rg * adjugate[3] + rb * adjugate[6];
  return { centre, precision: adjugate.map((value) => value / determinant) };
}

function distance({ centre, precision: p }: Colours, data: Uint8Array, at: number): number {
  const x = data[at] - centre[0];
  const y = data[at + 1] - centre[1];
  const z = data[at + 2] - centre[2];
  return (
    x * p[0] * x +
    x * p[1] * y +
    x * p[2] * z +
    y * p[3] * x +
    y * p[4] * y +
    y * p[5] * z +
    z * p[6] * x +
    z * p[7] * y +
    z * p[8] * z
  );
}

/** Whether more than half of the 3×3 neighbourhood is set: single pixels follow their neighbours. */
function mostly(bits: Uint8Array, x: number, y: number, width: number, height: number): boolean {
  let [set, all] = [0, 0];
  for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
    for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
      set += bits[v * width + u];
      all++;
    }
  }
  return 2 * set > all;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
