import { type Detection, detectIn, suppress } from "./detect.ts";
import type { Network } from "./network.ts";
import type { Box, RgbImage } from "./picture-types.ts";
import { resample } from "./resample.ts";

/** The network sees 320 pixels in width and needs 16 of them for a face: 64 of a tile as wide as this, and some more. */
const TILE = { width: 1120, height: 840 } as const;
/** Share of a tile that the next one covers too: faces up to this size lie whole in one of them. */
const SHARED = 0.25;
/** From one size of tiles to the next larger one. What is larger than a tile shares is found there. */
const COARSER = 3;
/** A box this near to the edge of a tile, in pixels, may be cut off. */
const EDGE = 8;
/** Share of the smaller of two boxes beyond which both are one face, seen from two tiles. */
const INSIDE = 0.6;

/** Whether one look at the whole picture may miss a face of 64 pixels. */
export const needsTiles = ({ width, height }: RgbImage): boolean => Math.max(width, (height * 4) / 3) > TILE.width;

/** Looks in overlapping tiles, of the picture and of smaller copies of it. */
export async function detectInTiles(network: Network, picture: RgbImage, threshold: number): Promise<Detection[]> {
  const found: Detection[] = [];
  let image = picture;
  while (needsTiles(image)) {
    const scale = picture.width / image.width;
    for (const tile of tilesOf(image)) {
      for (const { box, score } of await detectIn(network, image, tile, threshold)) {
        if (!isCut(box, tile, image)) found.push({ score, box: scaleBox(box, scale) });
      }
    }
    const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side / COARSER)));
    image = resample(image, width, height);
  }
  return mergeDetections(found);
}

/** One detection a face: of boxes that overlap, or lie in each other, the one with the best score. */
export function mergeDetections(detections: readonly Detection[]): Detection[] {
  const kept: Detection[] = [];
  for (const one of suppress(detections))
    if (!kept.some((other) => inside(one.box, other.box) > INSIDE)) kept.push(one);
  return kept;
}

/** The same box in a picture of another size. */
export const scaleBox = ({ x, y, width, height }: Box, by: number): Box => ({
  x: x * by,
  y: y * by,
  width: width * by,
  height: height * by,
});

function tilesOf({ width, height }: RgbImage): Box[] {
  const [w, h] = [Math.min(width, TILE.width), Math.min(height, TILE.height)];
  return places(height, h).flatMap((y) => places(width, w).map((x) => ({ x, y, width: w, height: h })));
}

/** Evenly spread, the first at 0 and the last at the end. */
function places(whole: number, tile: number): number[] {
  const count = Math.ceil((whole - tile) / (tile * (1 - SHARED))) + 1;
  return Array.from({ length: count }, (_, i) => (count === 1 ? 0 : Math.round((i * (whole - tile)) / (count - 1))));
}

/** Whether a box ends at an edge of its tile behind which the picture goes on. */
function isCut({ x, y, width, height }: Box, tile: Box, image: RgbImage): boolean {
  return (
    (x < tile.x + EDGE && tile.x > 0) ||
    (y < tile.y + EDGE && tile.y > 0) ||
    (x + width > tile.x + tile.width - EDGE && tile.x + tile.width < image.width) ||
    (y + height > tile.y + tile.height - EDGE && tile.y + tile.height < image.height)
  );
}

/** The common part of two boxes, over the smaller one. */
function inside(a: Box, b: Box): number {
  const w = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return (Math.max(0, w) * Math.max(0, h)) / Math.min(a.width * a.height, b.width * b.height);
}
