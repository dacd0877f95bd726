import { alignedCrop, arcfaceCrop, type RgbImage } from "@omni-id/face";
import type { Backbone } from "./backbone.ts";

/** The face of a photo as a backbone sees it, `inputSize` pixels wide and high. @param landmarks 68 points */
export function faceInput(
  { crop, inputSize }: Pick<Backbone, "crop" | "inputSize">,
  photo: RgbImage,
  landmarks: ArrayLike<number>,
): RgbImage {
  return crop === "arcface" ? arcfaceCrop(photo, landmarks) : alignedCrop(photo, landmarks, inputSize).image;
}
