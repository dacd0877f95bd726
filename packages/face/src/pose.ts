import { cropBox } from "./geometry.ts";
import { type Network, toPlanes } from "./network.ts";
import type { Box, RgbImage } from "./picture-types.ts";

/** Degrees. Yaw > 0: turned to the person's left (image right). Pitch > 0: looking up. Roll > 0: clockwise in the image. */
export interface Pose {
  yaw: number;
  pitch: number;
  roll: number;
}

const SIDE = 224;
const BINS = 66;
const MEAN: [number, number, number] = [0.485 * 255, 0.456 * 255, 0.406 * 255];
const DEVIATION: [number, number, number] = [0.229 * 255, 0.224 * 255, 0.225 * 255];

/** Head pose of the face in a tight square box; a wider box breaks the yaw. */
export async function estimatePose(network: Network, image: RgbImage, box: Box): Promise<Pose> {
  const input = toPlanes(cropBox(image, box, SIDE, SIDE), MEAN, DEVIATION);
  const [yaw, pitch, roll] = (await network.run(input, [1, 3, SIDE, SIDE])).map(expectedDegrees);
  return { yaw: -yaw, pitch, roll };
}

/** HopeNet's reading of a head: Σ softmax · 3 i − 99, degrees. */
export function expectedDegrees(logits: Float32Array): number {
  const most = logits.reduce((a, b) => Math.max(a, b));
  let [sum, weighted] = [0, 0];
  for (let i = 0; i < BINS; i++) {
    const weight = Math.exp(logits[i] - most);
    sum += weight;
    weighted += weight * i;
  }
  return (weighted / sum) * 3 - 99;
}
