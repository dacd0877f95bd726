import type { AnalysedFace } from "./analysed-face.ts";
import { transformPoints } from "./geometry.ts";
import type { Box, RgbImage } from "./picture-types.ts";
import { cutAndResample } from "./resample.ts";

/** Photos of at most this many pixels are kept as they are. */
const SMALL = 1_500_000;
/** Side of what is kept around a face, over the side of its box: every crop of the face lies inside. */
const AROUND = 3;
const MOST_SIDE = 1024;

/**
 * What later steps need of a photo: the part around one face. A hundred photos of 40 megapixels would fill 12 GB;
 * their portraits take 300 MB. The face's box and landmarks are in the portrait's pixels.
 */
export function portraitOf(photo: RgbImage, face: AnalysedFace): { image: RgbImage; face: AnalysedFace } {
  if (photo.width * photo.height <= SMALL) return { image: photo, face };
  const part = around(face.box, photo);
  const scale = Math.min(1, MOST_SIDE / Math.max(part.width, part.height));
  const [width, height] = [part.width, part.height].map((side) => Math.round(side * scale));
  const image = cutAndResample(photo, part, width, height);
  const [sx, sy] = [width / part.width, height / part.height];
  const { box, landmarks, size } = face;
  return {
    image,
    face: {
      ...face,
      box: { x: (box.x - part.x) * sx, y: (box.y - part.y) * sy, width: box.width * sx, height: box.height * sy },
      landmarks: transformPoints(landmarks, [sx, 0, -part.x * sx, 0, sy, -part.y * sy]),
      size: size * sx,
    },
  };
}

/** A square around a box, in whole pixels, as far as the photo reaches. */
function around({ x, y, width, height }: Box, photo: RgbImage): Box {
  const half = (AROUND * Math.max(width, height)) / 2;
  const [cx, cy] = [x + width / 2, y + height / 2];
  const [left, top] = [Math.max(0, Math.floor(cx - half)), Math.max(0, Math.floor(cy - half))];
  const [right, bottom] = [Math.min(photo.width, Math.ceil(cx + half)), Math.min(photo.height, Math.ceil(cy + half))];
  return { x: left, y: top, width: right - left, height: bottom - top };
}
