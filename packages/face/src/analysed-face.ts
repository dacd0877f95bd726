import type { Detection } from "./detect.ts";
import type { Pose } from "./pose.ts";
import type { FaceDescription } from "./recognise.ts";

/** Everything about one face. */
export interface AnalysedFace extends Detection, FaceDescription {
  /** 68 points, x0, y0, … in pixels of the image; of a face that lies on its side they lie on their side too. */
  landmarks: Float32Array;
  pose: Pose;
  /** 0…1, see `quality.ts`. */
  quality: number;
  /** Width of the face, in pixels. */
  size: number;
  /** Degrees clockwise, a multiple of 45, that the networks had to turn the picture back by to see the face upright. */
  turn: number;
  /** How much of a person the recogniser sees here, see `clarity.ts`. */
  clarity: number;
}
