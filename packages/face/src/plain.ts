/**
 * Faces in pictures as plain TypeScript: what runs in a browser as it runs in Node. Pixels come in as {@link RgbImage},
 * networks as {@link Network}.
 */
export type { AnalysedFace } from "./analysed-face.ts";
export {
  ARCFACE_TEMPLATE,
  alignedCrop,
  alignmentMatrix,
  type Crop,
  cropToFive,
} from "./crops.ts";
export { type AnalyseOptions, FaceReader, type Networks } from "./face-reader.ts";
export { faceMaskWithoutHair } from "./forehead.ts";
export { transformPoints, warp } from "./geometry.ts";
export { fivePoints, POINTS } from "./landmarks.ts";
export { type Network, toPlanes } from "./network.ts";
export type { Affine, Box, RgbImage } from "./picture-types.ts";
export { portraitOf } from "./portrait.ts";
export type { Pose } from "./pose.ts";
export { describeFault, describeNoFace, type Fault, faultOf } from "./usable.ts";
