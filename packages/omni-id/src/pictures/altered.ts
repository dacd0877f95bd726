import type { KeyedRandom } from "@omni-id/data";
import { loadImage, type RgbImage, resizeImage, toSharp, transformPoints } from "@omni-id/face";

/** Bounds of what a copy is altered by: its size before it is enlarged again, its contrast, and each colour. */
const [SMALLEST, LARGEST] = [0.35, 0.9];
const CONTRAST = 0.25;
const BRIGHTNESS = 30;
const COLOUR = 0.12;
/** JPEG quality of a file that was saved again. */
const [WORST, BEST] = [25, 90];
/** Bounds of how else a detector frames a face: degrees, share of its size, and shift over it. */
const TURN = 4;
const ZOOM = 0.06;
const SHIFT = 0.04;

/**
 * Another recording of the same picture: softer, of another contrast, brightness and colour, as another camera or a
 * worse file would have it. Points in it stay where they are.
 */
export async function alteredCopy(image: RgbImage, random: KeyedRandom): Promise<RgbImage> {
  const { width, height } = image;
  const scale = random.range(SMALLEST, LARGEST);
  const small = await resizeImage(
    image,
    Math.max(1, Math.round(width * scale)),
    Math.max(1, Math.round(height * scale)),
  );
  const { data } = await resizeImage(small, width, height);
  const contrast = random.range(1 - CONTRAST, 1 + CONTRAST);
  const brightness = random.range(-BRIGHTNESS, BRIGHTNESS);
  const gains = [0, 1, 2].map(() => contrast * random.range(1 - COLOUR, 1 + COLOUR));
  const altered = Uint8ClampedArray.from(data, (value, i) => 128 + gains[i % 3] * (value - 128) + brightness);
  return { width, height, data: new Uint8Array(altered.buffer) };
}

/** {@link alteredCopy}, saved as a JPEG of any quality. */
export async function savedAgain(image: RgbImage, random: KeyedRandom): Promise<RgbImage> {
  const altered = await alteredCopy(image, random);
  const quality = Math.round(random.range(WORST, BEST));
  return loadImage(await toSharp(altered).jpeg({ quality }).toBuffer(), { name: "an altered copy" });
}

/** Landmarks as if the face were framed otherwise: all turned, scaled and shifted alike about their middle. @param landmarks x0, y0, … */
export function framedOtherwise(landmarks: ArrayLike<number>, random: KeyedRandom): Float32Array {
  const [x, y] = [0, 1].map((k) => Array.from(landmarks).filter((_, i) => i % 2 === k));
  const middle = (values: number[]) => (Math.min(...values) + Math.max(...values)) / 2;
  const [cx, cy, size] = [middle(x), middle(y), Math.max(...y) - Math.min(...y)];
  const turn = (random.range(-TURN, TURN) * Math.PI) / 180;
  const zoom = random.range(1 - ZOOM, 1 + ZOOM);
  const [right, down] = [0, 1].map(() => random.range(-SHIFT, SHIFT) * size);
  const [cos, sin] = [Math.cos(turn) * zoom, Math.sin(turn) * zoom];
  return transformPoints(landmarks, [
    cos,
    -sin,
    cx + right - cos * cx + sin * cy,
    sin,
    cos,
    cy + down - sin * cx - cos * cy,
  ]);
}
