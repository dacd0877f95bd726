import { alignedCrop, arcfaceCrop, type RgbImage } from "@omni-id/face";

/** How a face is cut out of a photo: by ArcFace's template, or with eyes and mouth where the decoders have them. */
export interface FaceCut {
  readonly crop: "arcface" | "aligned";
  /** Side of the square, in pixels. */
  readonly inputSize: number;
}

/** The face of a photo as a backbone sees it, `inputSize` pixels wide and high. @param landmarks 68 points */
export function faceInput({ crop, inputSize }: FaceCut, photo: RgbImage, landmarks: ArrayLike<number>): RgbImage {
  return crop === "arcface" ? arcfaceCrop(photo, landmarks) : alignedCrop(photo, landmarks, inputSize).image;
}
