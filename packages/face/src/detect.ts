import { cropBox } from "./geometry.ts";
import { type Network, toPlanes } from "./network.ts";
import type { Box, RgbImage } from "./picture-types.ts";

/** Where a face is. */
export interface Detection {
  /** A square around the face, from brows to chin, in pixels. */
  box: Box;
  /** 0…1 */
  score: number;
}

export interface DetectOptions {
  /** Least score, 0…1. */
  threshold?: number;
  /**
   * `quick`: one look at the whole picture; `thorough`: where that finds nothing, closer and wider looks too;
   * `everywhere`: also in tiles, so that a face of 64 pixels is found in a picture of any size.
   */
  effort?: "quick" | "thorough" | "everywhere";
}

const WIDTH = 320;
const HEIGHT = 240;
/** Boxes that overlap by more than this share of their union are one face. */
const OVERLAP = 0.4;

/**
 * Finds faces. The network sees 320×240: where it finds nothing, it looks again with a margin around the picture (a
 * face that fills the frame) and at the four overlapping quarters (faces that are small).
 */
export async function detectFaces(
  network: Network,
  image: RgbImage,
  { threshold = 0.65, effort = "thorough" }: DetectOptions = {},
): Promise<Detection[]> {
  const { width, height } = image;
  const whole = { x: 0, y: 0, width, height };
  const found = await detectIn(network, image, whole, threshold);
  if (found.length > 0 || effort === "quick") return found;
  const margin = { x: -width / 2, y: -height / 2, width: 2 * width, height: 2 * height };
  const far = await detectIn(network, image, margin, threshold);
  if (far.length > 0) return far;
  const [w, h] = [width * 0.6, height * 0.6];
  const quarters: Detection[] = [];
  for (const x of [0, width - w]) {
    for (const y of [0, height - h])
      quarters.push(...(await detectIn(network, image, { x, y, width: w, height: h }, threshold)));
  }
  return suppress(quarters);
}

/** Detection inside one part of the picture, which is widened to 4:3 (edges are repeated). */
export async function detectIn(network: Network, image: RgbImage, part: Box, threshold: number): Promise<Detection[]> {
  const width = Math.max(part.width, (part.height * WIDTH) / HEIGHT);
  const height = (width * HEIGHT) / WIDTH;
  const frame = { x: part.x + (part.width - width) / 2, y: part.y + (part.height - height) / 2, width, height };
  const input = toPlanes(cropBox(image, frame, WIDTH, HEIGHT), [127, 127, 127], [128, 128, 128]);
  const [scores, boxes] = await network.run(input, [1, 3, HEIGHT, WIDTH]);
  return suppress(decode(scores, boxes, frame, threshold)).map(({ box, score }) => ({ box: squareOf(box), score }));
}

/** @param scores `[N, 2]`: no face, face @param boxes `[N, 4]`: left, top, right, bottom as shares of the frame */
export function decode(scores: Float32Array, boxes: Float32Array, frame: Box, threshold: number): Detection[] {
  const found: Detection[] = [];
  for (let i = 0; i < scores.length / 2; i++) {
    const score = scores[2 * i + 1];
    if (!(score > threshold)) continue;
    const [left, top, right, bottom] = boxes.subarray(4 * i, 4 * i + 4);
    const x = frame.x + left * frame.width;
    const y = frame.y + top * frame.height;
    found.push({ box: { x, y, width: (right - left) * frame.width, height: (bottom - top) * frame.height }, score });
  }
  return found;
}

/** Keeps the best of boxes that cover the same face. */
export function suppress(detections: readonly Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const one of [...detections].sort((a, b) => b.score - a.score)) {
    if (kept.every((other) => overlap(one.box, other.box) < OVERLAP)) kept.push(one);
  }
  return kept;
}

/** Intersection over union. */
export function overlap(a: Box, b: Box): number {
  const w = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  if (w <= 0 || h <= 0) return 0;
  return (w * h) / (a.width * a.height + b.width * b.height - w * h);
}

/** The networks that follow were trained on squares as high as the detector's box. */
function squareOf({ x, y, width, height }: Box): Box {
  return { x: x + (width - height) / 2, y, width: height, height };
}
