import type { AnalysedFace } from "./analysed-face.ts";
import { type FaceLook, lookAt } from "./clarity.ts";
import { type Detection, type DetectOptions, detectFaces, overlap } from "./detect.ts";
import { invert, transformPoints } from "./geometry.ts";
import { placeLandmarks } from "./landmark-net.ts";
import { boundingBox } from "./landmarks.ts";
import type { Network } from "./network.ts";
import type { Box, RgbImage } from "./picture-types.ts";
import { estimatePose, type Pose } from "./pose.ts";
import { qualityParts, qualityScore } from "./quality.ts";
import { describeFace, type FaceDescription } from "./recognise.ts";
import { resample } from "./resample.ts";
import { detectInTiles, mergeDetections, needsTiles, scaleBox } from "./tiles.ts";
import { bestTurn, boxInPicture, isSure, type TurnedLook, turnPicture } from "./turned.ts";
import { isUsable } from "./usable.ts";

/** Detection looks at a copy no larger than this; the other networks see the full picture. */
const DETECTION_SIDE = 1280;
/** One quick look needs no more than what the network takes. */
const QUICK_SIDE = 320;
/** A clear face that is at least so wide, over the picture's longer side, is what a picture is of: no tiles then. */
const PORTRAIT = 0.1;
const CLEAR_SCORE = 0.9;
/** Faces that do not fit are looked at in other turns, as many of a picture. */
const MOST_TURNED = 6;
/** Boxes that overlap by more than this share of their union are one face. */
const SAME_FACE = 0.2;

/** The networks of the default set, opened. */
export interface Networks {
  detector: Network;
  landmark: Network;
  pose: Network;
  recogniser: Network;
}

export interface AnalyseOptions {
  threshold?: number;
  /** Whether faces that do not fit are looked for in turned pictures too; for pictures of which one knows better. */
  turns?: boolean;
}

/** Finds and measures faces, wherever its networks run. One instance serves any number of pictures. */
export class FaceReader {
  readonly #networks: Networks;

  constructor(networks: Networks) {
    this.#networks = networks;
  }

  /** Faces by score, best first. */
  async detect(image: RgbImage, options: DetectOptions = {}): Promise<Detection[]> {
    const { detector } = this.#networks;
    const quick = options.effort === "quick";
    const scale = Math.max(1, Math.max(image.width, image.height) / (quick ? QUICK_SIDE : DETECTION_SIDE));
    const [width, height] = [image.width, image.height].map((side) => Math.round(side / scale));
    const small = scale === 1 ? image : await (quick ? this.quickCopy : resample)(image, width, height);
    const found = (await detectFaces(detector, small, options)).map(({ box, score }) => ({
      score,
      box: scale === 1 ? box : scaleBox(box, image.width / small.width),
    }));
    if (options.effort !== "everywhere" || !needsTiles(image)) return found;
    const least = PORTRAIT * Math.max(image.width, image.height);
    if (found.some(({ box, score }) => score > CLEAR_SCORE && box.width > least)) return found;
    return mergeDetections([...found, ...(await detectInTiles(detector, image, options.threshold ?? 0.65))]);
  }

  /** A small copy for a quick look; frames of videos come by the thousand, so Node has a faster one. */
  protected quickCopy(image: RgbImage, width: number, height: number): RgbImage | Promise<RgbImage> {
    return resample(image, width, height);
  }

  /** 68 points of the face in a box. */
  landmarks(image: RgbImage, box: Box): Promise<Float32Array> {
    return placeLandmarks(this.#networks.landmark, image, box);
  }

  /** Head pose of the face in a box, degrees. */
  pose(image: RgbImage, box: Box): Promise<Pose> {
    return estimatePose(this.#networks.pose, image, box);
  }

  /** The feature of a face, of length 1, `[512]`. */
  async recognise(image: RgbImage, landmarks: Float32Array): Promise<Float32Array> {
    return (await this.describe(image, landmarks)).feature;
  }

  /** The feature with its strength. @param landmarks 68 points */
  describe(image: RgbImage, landmarks: ArrayLike<number>): Promise<FaceDescription> {
    return describeFace(this.#networks.recogniser, image, landmarks);
  }

  /**
   * The turn in which a face that does not fit upright is clearest, with its landmarks in pixels of the image;
   * `undefined` where it fits as it is, or in no turn.
   */
  async turned(
    image: RgbImage,
    detection: Detection,
    clarity: number,
  ): Promise<Omit<AnalysedFace, "quality" | "size"> | undefined> {
    if (isSure(clarity)) return undefined;
    const best = await bestTurn(this.#networks, image, detection, clarity);
    return best && this.#fromPatch(best);
  }

  /** Everything about every face, largest first. A face that lies on its side is seen as one. */
  async analyse(image: RgbImage, { threshold, turns = true }: AnalyseOptions = {}): Promise<AnalysedFace[]> {
    const found = await this.detect(image, { threshold, effort: "everywhere" });
    const faces: AnalysedFace[] = [];
    for (const [i, detection] of bySize(found).entries()) {
      faces.push(await this.#analyseFace(image, detection, turns && i < MOST_TURNED));
    }
    const lying = turns && !faces.some(isUsable) ? await this.#lyingFaces(image, threshold) : [];
    const upright = faces.filter(({ box }) => lying.every((face) => overlap(box, face.box) < SAME_FACE));
    return [...upright, ...lying].sort((a, b) => b.size - a.size);
  }

  async #analyseFace(image: RgbImage, detection: Detection, turns: boolean): Promise<AnalysedFace> {
    const look = await lookAt(this.#networks, image, detection.box);
    if (turns && !isSure(look.clarity)) {
      const best = await bestTurn(this.#networks, image, detection, look.clarity);
      if (best) return this.#fromPatch(best);
    }
    return this.#finish(image, look, detection);
  }

  /** Faces that only a turned picture shows to the detector. */
  async #lyingFaces(image: RgbImage, threshold?: number): Promise<AnalysedFace[]> {
    for (const turn of [90, 270, 180]) {
      const { image: turned, matrix } = turnPicture(image, turn);
      const lying: AnalysedFace[] = [];
      for (const { box, score } of bySize(await this.detect(turned, { threshold, effort: "everywhere" }))) {
        const look = await lookAt(this.#networks, turned, box);
        if (!isUsable({ clarity: look.clarity })) continue;
        lying.push(await this.#fromPatch({ look, turn, score, patch: { image: turned, matrix, box } }));
      }
      if (lying.length > 0) return lying;
    }
    return [];
  }

  /** A face of a turned patch, in the picture's coordinates. */
  async #fromPatch({ look, turn, score, patch }: TurnedLook): Promise<AnalysedFace> {
    const face = await this.#finish(patch.image, look, { box: patch.box, score });
    const { yaw, pitch, roll } = face.pose;
    return {
      ...face,
      box: boxInPicture(patch.box, patch.matrix),
      landmarks: transformPoints(look.landmarks, invert(patch.matrix)),
      pose: { yaw, pitch, roll: halfTurns(roll + turn) },
      size: face.size / Math.hypot(patch.matrix[0], patch.matrix[1]),
      turn,
    };
  }

  async #finish(image: RgbImage, look: FaceLook, detection: Detection): Promise<AnalysedFace> {
    const pose = await this.pose(image, detection.box);
    const quality = qualityScore(qualityParts(image, detection.box, pose));
    return { ...detection, ...look, pose, quality, size: boundingBox(look.landmarks).width, turn: 0 };
  }
}

const bySize = (found: readonly Detection[]) => [...found].sort((a, b) => b.box.width - a.box.width);

/** Degrees in −180…180. */
const halfTurns = (degrees: number): number => degrees - 360 * Math.round(degrees / 360);
