/** Faces in photographs, found, measured and aligned without LibTorch: what a worker of the curation loads. */

export type { AnalysedFace } from "./analysed-face.ts";
export { FaceAnalyser } from "./analyser.ts";
export * from "./asset-index.ts";
export {
  ARCFACE_TEMPLATE,
  alignedCrop,
  alignmentMatrix,
  arcfaceCrop,
  type Crop,
  cropToFive,
  DLIB_TEMPLATE,
  dlibCrop,
  FFHQ_FRAMING,
} from "./crops.ts";
export type { Detection, DetectOptions } from "./detect.ts";
export { overlap } from "./detect.ts";
export { faceMask, faceOutline } from "./face-mask.ts";
export type { AnalyseOptions } from "./face-reader.ts";
export { faceMaskWithoutHair } from "./forehead.ts";
export { type FileFormat, fileFormat, formatOf } from "./formats.ts";
export { cropBox, invert, similarity, transformPoints, warp } from "./geometry.ts";
export { loadImage, resizeImage, saveImage, savePicture, toSharp } from "./image.ts";
export { boundingBox, fivePoints, POINTS } from "./landmarks.ts";
export { detectorModel, landmarkModel, poseModel } from "./model-entries.ts";
export type { Affine, Box, RgbImage } from "./picture-types.ts";
export { portraitOf } from "./portrait.ts";
export type { Pose } from "./pose.ts";
export { type QualityParts, qualityParts, qualityScore } from "./quality.ts";
export { QualityNet } from "./quality-net.ts";
export type { FaceDescription } from "./recognise.ts";
export { RECORDING_SIDE, type RecordingParts, recordingParts, recordingScore } from "./recording.ts";
export { withoutSubnormals } from "./subnormal.ts";
export { describeFault, describeNoFace, type Fault, faultOf, isUsable, shareOutside } from "./usable.ts";
