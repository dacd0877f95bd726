import { cropBox } from "./geometry.ts";
import type { Box, RgbImage } from "./picture-types.ts";
import type { Pose } from "./pose.ts";

/** What a quality score is made of, each 0…1. */
export interface QualityParts {
  /** Detail at the scale of the picture: blur and enlarging take it away. */
  sharpness: number;
  /** Neither black nor burnt out. */
  exposure: number;
  /** Width of the face. */
  size: number;
  /** Looking at the camera. */
  frontal: number;
}

const SIDE = 112;
/** Mean absolute Laplacian, over the contrast, of a face that is quite sharp at 112 px. */
const SHARP = 0.3;
/** A face this wide, in pixels, has all the detail that the networks can use. */
const LARGE = 160;

/** Parts of the quality of a face in its square box. */
export function qualityParts(image: RgbImage, box: Box, { yaw, pitch }: Pose): QualityParts {
  const grey = toGrey(cropBox(image, box, SIDE, SIDE));
  const mean = grey.reduce((sum, value) => sum + value, 0) / grey.length;
  const contrast = Math.sqrt(grey.reduce((sum, value) => sum + (value - mean) ** 2, 0) / grey.length);
  let laplacian = 0;
  for (let y = 1; y < SIDE - 1; y++) {
    for (let x = 1; x < SIDE - 1; x++) {
      const i = y * SIDE + x;
      laplacian += Math.abs(4 * grey[i] - grey[i - 1] - grey[i + 1] - grey[i - SIDE] - grey[i + SIDE]);
    }
  }
  const detail = laplacian / (SIDE - 2) ** 2 / Math.max(contrast, 4);
  return {
    sharpness: Math.min(1, detail / SHARP),
    exposure: Math.min(1, contrast / 30) * Math.min(1, Math.min(mean, 255 - mean) / 50),
    size: Math.min(1, box.width / LARGE),
    frontal: Math.cos((Math.min(90, Math.hypot(yaw, pitch)) * Math.PI) / 180),
  };
}

/** One figure, 0…1: the product of the parts, so that each fault counts; pose counts least. */
export function qualityScore({ sharpness, exposure, size, frontal }: QualityParts): number {
  return Math.sqrt(sharpness * exposure) * Math.sqrt(size) * (0.5 + 0.5 * frontal);
}

function toGrey({ data }: RgbImage): Float32Array {
  return Float32Array.from(
    { length: data.length / 3 },
    (_, i) => 0.299 * data[3 * i] + 0.587 * data[3 * i + 1] + 0.114 * data[3 * i + 2],
  );
}
