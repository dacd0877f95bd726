import { similarity, warp } from "./geometry.ts";
import { fivePoints } from "./landmarks.ts";
import type { Affine, RgbImage } from "./picture-types.ts";

/** ArcFace's five points in a 112×112 crop (InsightFace); there whole numbers are pixel centres, here halves are. */
export const ARCFACE_TEMPLATE = Float32Array.from(
  [38.2946, 51.6963, 73.5318, 51.5014, 56.0252, 71.7366, 41.5493, 92.3655, 70.7299, 92.2041],
  (value) => value + 0.5,
);

/** dlib's mean face for a 150×150 chip with 25 % padding: eyes, nose tip, mouth corners. */
export const DLIB_TEMPLATE = Float32Array.from([47.55, 46.6, 100.47, 46.6, 74.01, 76.56, 52.23, 103.25, 95.8, 103.25]);

/** A picture cut out of a photo, and how it was cut. */
export interface Crop {
  image: RgbImage;
  /** From the photo's coordinates to the crop's. */
  matrix: Affine;
}

/** The recogniser's input: five points moved onto ArcFace's template, 112×112. @param landmarks 68 points */
export function arcfaceCrop(image: RgbImage, landmarks: ArrayLike<number>): RgbImage {
  return cropToFive(image, fivePoints(landmarks), ARCFACE_TEMPLATE, 112).image;
}

/** The independent recogniser's input, 150×150. @param landmarks 68 points */
export function dlibCrop(image: RgbImage, landmarks: ArrayLike<number>): RgbImage {
  return cropToFive(image, fivePoints(landmarks), DLIB_TEMPLATE, 150).image;
}

/** Moves five points onto a template. */
export function cropToFive(image: RgbImage, five: ArrayLike<number>, template: Float32Array, size: number): Crop {
  const matrix = similarity(five, template);
  return { image: warp(image, matrix, size, size), matrix };
}

export interface Framing {
  /** Side of the square over FFHQ's. */
  zoom: number;
  /** How far below the eyes its centre lies, over the distance from eyes to mouth. */
  centre: number;
}

/** FFHQ's own square (Karras et al., 2019): hair and chin inside. */
export const FFHQ_FRAMING: Framing = { zoom: 1, centre: 0.1 };
/** Drawn closer: the face fills the square, chin inside. */
const FACE_FRAMING: Framing = { zoom: 0.8, centre: 0.35 };

/**
 * The decoders' view of a face: FFHQ's eye/mouth-aligned square (Karras et al., 2019), drawn closer. Eyes and mouth
 * stand at the same places in every picture, which is worth more to a small model than its size.
 * @param landmarks 68 points @param size side of the crop, in pixels
 */
export function alignedCrop(image: RgbImage, landmarks: ArrayLike<number>, size: number): Crop {
  const matrix = alignmentMatrix(landmarks, size);
  return { image: warp(image, matrix, size, size), matrix };
}

/** The map of {@link alignedCrop} alone. @throws when eyes and mouth fall together */
export function alignmentMatrix(
  landmarks: ArrayLike<number>,
  size: number,
  { zoom, centre: below }: Framing = FACE_FRAMING,
): Affine {
  const centre = (from: number, to: number) => {
    let [x, y] = [0, 0];
    for (let i = from; i < to; i++) {
      x += landmarks[2 * i];
      y += landmarks[2 * i + 1];
    }
    return [x / (to - from), y / (to - from)];
  };
  const [rightEye, leftEye] = [centre(36, 42), centre(42, 48)];
  const eyes = [(rightEye[0] + leftEye[0]) / 2, (rightEye[1] + leftEye[1]) / 2];
  const mouth = [(landmarks[96] + landmarks[108]) / 2, (landmarks[97] + landmarks[109]) / 2];
  const eyeToEye = [leftEye[0] - rightEye[0], leftEye[1] - rightEye[1]];
  const eyeToMouth = [mouth[0] - eyes[0], mouth[1] - eyes[1]];
  // The crop's x axis: along the eyes, and square to the line from eyes to mouth.
  const axis = [eyeToEye[0] + eyeToMouth[1], eyeToEye[1] - eyeToMouth[0]];
  const half = zoom * Math.max(2 * Math.hypot(...eyeToEye), 1.8 * Math.hypot(...eyeToMouth));
  const length = Math.hypot(...axis);
  if (!(length > 0) || !(half > 0)) throw new Error("these landmarks are no face: eyes and mouth fall together");
  const scale = size / (2 * half * length);
  const [cos, sin] = [axis[0] * scale, axis[1] * scale];
  const [cx, cy] = [eyes[0] + below * eyeToMouth[0], eyes[1] + below * eyeToMouth[1]];
  return [cos, sin, size / 2 - cos * cx - sin * cy, -sin, cos, size / 2 + sin * cx - cos * cy];
}
