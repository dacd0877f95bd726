import { ARCFACE_TEMPLATE, alignedCrop, type Crop, cropToFive, fivePoints, type RgbImage } from "@omni-id/face/plain";

/** How a face is cut out of a photo: by ArcFace's template, or with eyes and mouth where the decoders have them. */
export interface FaceCut {
  readonly crop: "arcface" | "aligned";
  /** Side of the square, in pixels. */
  readonly inputSize: number;
}

/** The face of a photo as a backbone sees it, `inputSize` pixels wide and high. @param landmarks 68 points */
export function faceInput({ crop, inputSize }: FaceCut, photo: RgbImage, landmarks: ArrayLike<number>): RgbImage {
  return faceCut({ crop, inputSize }, photo, landmarks).image;
}

/** The same with the map from the photo into the crop. */
export function faceCut({ crop, inputSize }: FaceCut, photo: RgbImage, landmarks: ArrayLike<number>): Crop {
  return crop === "arcface"
    ? cropToFive(photo, fivePoints(landmarks), ARCFACE_TEMPLATE, inputSize)
    : alignedCrop(photo, landmarks, inputSize);
}
