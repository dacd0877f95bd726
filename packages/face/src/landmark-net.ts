import { cropBox } from "./geometry.ts";
import { boundingBox } from "./landmarks.ts";
import type { Network } from "./network.ts";
import type { Box, RgbImage } from "./picture-types.ts";

const SIDE = 64;
/** The box that suits the network, over the landmarks' height, and how far above their centre its middle lies. */
const REFINED = 1.12;
const REFINED_UP = 0.03;

/** 68 landmarks of the face in a square box. A second look, at a box made from the first landmarks, is steadier. */
export async function placeLandmarks(network: Network, image: RgbImage, box: Box): Promise<Float32Array> {
  const first = await look(network, image, box);
  const { x, y, width, height } = boundingBox(first);
  const side = height * REFINED;
  const refined = {
    x: x + width / 2 - side / 2,
    y: y + height / 2 - side * (0.5 + REFINED_UP),
    width: side,
    height: side,
  };
  return look(network, image, refined);
}

/**
 * Parts of a pixel that boxes are rounded to. Runtimes differ in the last digits of what they compute; rounded, a browser
 * and Node cut the very same bytes, which would make more of it.
 */
const PARTS = 64;
const rounded = (value: number) => Math.round(value * PARTS) / PARTS;

async function look(network: Network, image: RgbImage, given: Box): Promise<Float32Array> {
  const { x, y, width, height } = given;
  const box = { x: rounded(x), y: rounded(y), width: rounded(width), height: rounded(height) };
  const { data } = cropBox(image, box, SIDE, SIDE);
  const grey = new Float32Array(SIDE * SIDE);
  for (let i = 0; i < grey.length; i++) {
    grey[i] = (0.299 * data[3 * i] + 0.587 * data[3 * i + 1] + 0.114 * data[3 * i + 2]) / 256;
  }
  const [shares] = await network.run(grey, [1, 1, SIDE, SIDE]);
  return Float32Array.from(shares, (share, i) =>
    i % 2 === 0 ? box.x + share * box.width : box.y + share * box.height,
  );
}
