import type { RgbImage } from "@omni-id/face/plain";
import type { PlaceWeights } from "./attention-maps.ts";

/** Colours of attention, from none to most: dark blue, red, yellow. */
const RAMP = [
  [24, 28, 84],
  [168, 32, 64],
  [248, 132, 32],
  [255, 240, 140],
];
/** How much of the photo is left under the colours. */
const PHOTO = 0.45;

/** A photo in grey under the colours of a map over its places. */
export function overlay({ width, height, data }: RgbImage, map: PlaceWeights): RgbImage {
  const side = Math.sqrt(map.length);
  const values = Array.from(map);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3;
      const share =
        (between(values, side, ((x + 0.5) / width) * side - 0.5, ((y + 0.5) / height) * side - 0.5) - low) /
        (high - low || 1);
      const grey = 0.3 * data[at] + 0.59 * data[at + 1] + 0.11 * data[at + 2];
      const colour = ramp(share);
      for (let k = 0; k < 3; k++) out[at + k] = PHOTO * grey + (1 - PHOTO) * colour[k];
    }
  }
  return { width, height, data: out };
}

/** Bilinear value of a square grid at a point in units of its cells. */
function between(values: readonly number[], side: number, x: number, y: number): number {
  const inside = (at: number) => Math.min(side - 1, Math.max(0, at));
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const value = (column: number, row: number) => values[inside(row) * side + inside(column)];
  const across = (row: number) => value(left, row) * (1 - (x - left)) + value(left + 1, row) * (x - left);
  return across(top) * (1 - (y - top)) + across(top + 1) * (y - top);
}

function ramp(share: number): number[] {
  const place = Math.min(1, Math.max(0, share)) * (RAMP.length - 1);
  const from = Math.min(RAMP.length - 2, Math.floor(place));
  return RAMP[from].map((value, k) => value + (RAMP[from + 1][k] - value) * (place - from));
}
