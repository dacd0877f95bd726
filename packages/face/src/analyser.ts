import { type Detection, type DetectOptions, detectFaces } from "./detect.ts";
import type { Box } from "./geometry.ts";
import { type RgbImage, resizeImage } from "./image.ts";
import { placeLandmarks } from "./landmark-net.ts";
import { boundingBox } from "./landmarks.ts";
import { detectorModel, landmarkModel, poseModel, recogniserModel } from "./models.ts";
import { estimatePose, type Pose } from "./pose.ts";
import { qualityParts, qualityScore } from "./quality.ts";
import { describeFace, type FaceDescription } from "./recognise.ts";
import { openSession, type Session } from "./session.ts";

/** Everything about one face. */
export interface AnalysedFace extends Detection {
  /** 68 points, x0, y0, … in pixels of the image. */
  landmarks: Float32Array;
  pose: Pose;
  /** 0…1, see `quality.ts`. */
  quality: number;
  /** Width of the face, in pixels. */
  size: number;
}

/** Detection looks at a copy no larger than this; the other networks see the full picture. */
const DETECTION_SIDE = 1280;
/** One quick look needs no more than what the network takes. */
const QUICK_SIDE = 320;

/** Finds and measures faces with the default set of models. One instance serves any number of pictures. */
export class FaceAnalyser {
  readonly #detector: Session;
  readonly #landmark: Session;
  readonly #pose: Session;
  readonly #recogniser: Session;

  private constructor(detector: Session, landmark: Session, pose: Session, recogniser: Session) {
    this.#detector = detector;
    this.#landmark = landmark;
    this.#pose = pose;
    this.#recogniser = recogniser;
  }

  /** @throws when a model's file is missing or damaged */
  static async load(options: { threads?: number } = {}): Promise<FaceAnalyser> {
    const [detector, landmark, pose, recogniser] = await Promise.all(
      [detectorModel, landmarkModel, poseModel, recogniserModel].map((model) => openSession(model, options)),
    );
    return new FaceAnalyser(detector, landmark, pose, recogniser);
  }

  /** Faces by score, best first. */
  async detect(image: RgbImage, options: DetectOptions = {}): Promise<Detection[]> {
    const side = options.effort === "quick" ? QUICK_SIDE : DETECTION_SIDE;
    const scale = Math.max(1, Math.max(image.width, image.height) / side);
    if (scale === 1) return detectFaces(this.#detector, image, options);
    const small = await resizeImage(image, Math.round(image.width / scale), Math.round(image.height / scale));
    const found = await detectFaces(this.#detector, small, options);
    return found.map(({ box, score }) => ({ score, box: scaleBox(box, image.width / small.width) }));
  }

  /** 68 points of the face in a box. */
  landmarks(image: RgbImage, box: Box): Promise<Float32Array> {
    return placeLandmarks(this.#landmark, image, box);
  }

  /** Head pose of the face in a box, degrees. */
  pose(image: RgbImage, box: Box): Promise<Pose> {
    return estimatePose(this.#pose, image, box);
  }

  /** The feature of a face, of length 1, `[512]`. */
  async recognise(image: RgbImage, landmarks: Float32Array): Promise<Float32Array> {
    return (await this.describe(image, landmarks)).feature;
  }

  /** The feature with its strength. @param landmarks 68 points */
  describe(image: RgbImage, landmarks: ArrayLike<number>): Promise<FaceDescription> {
    return describeFace(this.#recogniser, image, landmarks);
  }

  /** Everything about every face, largest first. */
  async analyse(image: RgbImage, options: { threshold?: number } = {}): Promise<AnalysedFace[]> {
    const faces: AnalysedFace[] = [];
    for (const detection of await this.detect(image, options)) {
      const landmarks = await this.landmarks(image, detection.box);
      const pose = await this.pose(image, detection.box);
      const quality = qualityScore(qualityParts(image, detection.box, pose));
      faces.push({ ...detection, landmarks, pose, quality, size: boundingBox(landmarks).width });
    }
    return faces.sort((a, b) => b.size - a.size);
  }
}

const scaleBox = ({ x, y, width, height }: Box, by: number): Box => ({
  x: x * by,
  y: y * by,
  width: width * by,
  height: height * by,
});
