import { nn, noGrad, scope, type Tensor, tensor, zeros } from "@omni-id/torch";
import type { Conditions, StepConditions } from "../flow-base.ts";
import { type FaceView, fitMeanFace, type HeadPose, poseLandmarks } from "../pictures/mean-face.ts";
import { ControlNet, type ControlNetOptions } from "./controlnet.ts";

/**
 * The ControlNet of section 4.2: pose and expression from a picture of 68 landmarks, drawn by `drawLandmarks`. It
 * knows the mean face of its training people in space, so that a pose alone is enough to draw one.
 */
export class LandmarkControl extends ControlNet {
  /** `[68, 3]`, x right, y down, z to the viewer. */
  readonly mean_face: Tensor;

  constructor(options: ControlNetOptions) {
    super(options);
    this.mean_face = scope(() => nn.buffer(zeros([68, 3])));
  }

  fitMeanFace(views: readonly FaceView[]): void {
    scope(() => noGrad(() => this.mean_face.copy_(tensor(fitMeanFace(views), { shape: [68, 3] }))));
  }

  /**
   * Landmarks of the mean face in a pose, 136 numbers in pixels of an aligned crop. Such crops have no roll: the
   * eyes are level.
   */
  poseLandmarks(pose: HeadPose, side: number): Float32Array {
    return poseLandmarks(this.mean_face.toTypedArray() as Float32Array, pose, side);
  }

  /** Adds this ControlNet's residuals, from pictures `[B, 3, S, S]`, to other conditions. */
  steer(pictures: Tensor, conditions: Conditions = {}): StepConditions {
    return (input) => ({ ...conditions, residuals: this.forward({ ...input, condition: pictures }) });
  }
}
