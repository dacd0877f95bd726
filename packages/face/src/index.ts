/** Faces in photographs: found, measured, aligned, recognised. */
export { type AnalysedFace, FaceAnalyser } from "./analyser.ts";
export * from "./asset-index.ts";
export { cropBatch } from "./crop-batch.ts";
export {
  ARCFACE_TEMPLATE,
  alignedCrop,
  alignmentMatrix,
  arcfaceCrop,
  type Crop,
  cropToFive,
  DLIB_TEMPLATE,
  dlibCrop,
} from "./crops.ts";
export type { Detection } from "./detect.ts";
export { faceMask, faceOutline } from "./face-mask.ts";
export { faceMaskWithoutHair } from "./forehead.ts";
export { type Affine, type Box, cropBox, invert, similarity, transformPoints, warp } from "./geometry.ts";
export { loadImage, type RgbImage, resizeImage, saveImage, toSharp } from "./image.ts";
export { IndependentRecogniser } from "./independent.ts";
export { boundingBox, fivePoints, POINTS } from "./landmarks.ts";
export { portraitOf } from "./portrait.ts";
export type { Pose } from "./pose.ts";
export { type QualityParts, qualityParts, qualityScore } from "./quality.ts";
