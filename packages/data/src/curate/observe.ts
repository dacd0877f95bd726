import {
  type Affine,
  alignmentMatrix,
  type Box,
  boundingBox,
  cropBox,
  type Detection,
  type FaceAnalyser,
  invert,
  RECORDING_SIDE,
  type RgbImage,
  recordingParts,
  recordingScore,
  toSharp,
  transformPoints,
  warp,
} from "@omni-id/face/analysis";
import { alignment, shareOutside } from "./align.ts";
import { sceneChange, thumbnail } from "./cuts.ts";
import { dropDetected, dropMeasured } from "./filter.ts";
import { turnOf } from "./lying.ts";
import type { FaceSeen, FrameSeen } from "./observation.ts";
import type { CurateSettings, SetSettings } from "./settings.ts";
import type { VideoFrame } from "./video/decode.ts";

/** What is remembered from one frame to the next. */
export interface FrameMemory {
  thumbnail: Float32Array;
  /** Whether there were faces. */
  faces: boolean;
}

export interface LookOptions {
  /** Where the clip's person is, in pixels of the frame; everywhere where absent. */
  person?: Box;
  /** Whether faces are asked which way is up. */
  asking?: boolean;
}

/** A frame without faces is searched more thoroughly where one was just lost, after a cut, and once in so many. */
const THOROUGH_EVERY = 10;

export interface Observer<Settings extends SetSettings = CurateSettings> {
  analyser: FaceAnalyser;
  settings: Settings;
  /** Rates an aligned face of 512 pixels, 0…1; the default measures the recording. */
  rate?: (image: RgbImage, landmarks: ArrayLike<number>) => Promise<number>;
  /** Seconds spent, by stage. */
  clock?: Record<string, number>;
}

/**
 * Everything that is seen in one frame. The costly networks run on faces that passed the cheap filters.
 */
export async function observeFrame(
  observer: Observer,
  { n, t, image }: VideoFrame,
  before: FrameMemory | undefined,
  options: LookOptions = {},
): Promise<{ seen: FrameSeen; memory: FrameMemory }> {
  const { analyser, settings } = observer;
  const thumb = thumbnail(image);
  const cut = before !== undefined && sceneChange(before.thumbnail, thumb) > settings.cut;
  const found = await timed(observer, "detection", async () => {
    const quick = await analyser.detect(image, { threshold: settings.minScore, effort: "quick" });
    const worthwhile = cut || before === undefined || before.faces || n % THOROUGH_EVERY === 0;
    return quick.length > 0 || !worthwhile ? quick : analyser.detect(image, { threshold: settings.minScore });
  });
  const faces: FaceSeen[] = [];
  for (const detection of found) faces.push(await observeFace(observer, image, detection, options));
  return { seen: { n, t, cut, faces }, memory: { thumbnail: thumb, faces: found.length > 0 } };
}

/** Measures a face; what is cheap comes first, and what drops out there costs no more. */
export async function observeFace(
  observer: Observer<SetSettings>,
  frame: RgbImage,
  found: Detection,
  { person, asking }: LookOptions = {},
): Promise<FaceSeen> {
  const { analyser, settings } = observer;
  const face: FaceSeen = { ...found };
  const early = dropDetected(face, frame, settings, person);
  if (early) return { ...face, why: early };

  const { patch, box, toFrame, square } = await timed(observer, "pixels", () => cutOut(frame, found.box));
  const parts = recordingParts(square);
  face.detail = parts.detail;
  if (parts.detail < settings.minDetail) return { ...face, why: "blurred" };

  const landmarks = await timed(observer, "landmarks", () => analyser.landmarks(patch, box));
  face.landmarks = [...transformPoints(landmarks, toFrame)];
  if (asking) {
    const { strength } = await timed(observer, "recognition", () => analyser.describe(patch, landmarks));
    face.turn = await turnOf(analyser, frame, found, strength);
  }
  const align = alignment(face.landmarks);
  if (!align) return { ...face, why: "unclear" };
  face.size = align.size;
  face.outside = shareOutside(align, frame);
  face.pose = await timed(observer, "pose", () => analyser.pose(square, wholeOf(square)));
  const middle = dropMeasured(face, settings);
  if (middle) return { ...face, why: middle };

  const { feature, strength } = await timed(observer, "recognition", () => analyser.describe(patch, landmarks));
  face.feature = toBytes(feature);
  face.quality = await timed(observer, "quality", async () =>
    observer.rate ? observer.rate(frame, face.landmarks as number[]) : recordingScore(parts, strength),
  );
  face.look = lookOf(patch, landmarks);
  const late = dropMeasured(face, settings);
  return late ? { ...face, why: late } : face;
}

/** Side that faces are shrunk to before the networks see them: more helps none of them. */
const PATCH_FACE = RECORDING_SIDE;
/** How far a patch reaches around the box, over its side. */
const AROUND = 0.6;

/** A face with its surroundings, shrunk natively, and its square as the pose network wants it. */
async function cutOut(frame: RgbImage, face: Box) {
  const x0 = Math.max(0, Math.floor(face.x - AROUND * face.width));
  const y0 = Math.max(0, Math.floor(face.y - AROUND * face.height));
  const x1 = Math.min(frame.width, Math.ceil(face.x + (1 + AROUND) * face.width));
  const y1 = Math.min(frame.height, Math.ceil(face.y + (1 + AROUND) * face.height));
  const scale = Math.min(1, PATCH_FACE / face.width);
  const [width, height] = [Math.max(1, Math.round((x1 - x0) * scale)), Math.max(1, Math.round((y1 - y0) * scale))];
  const cut = toSharp(frame).extract({ left: x0, top: y0, width: x1 - x0, height: y1 - y0 });
  const data = await (scale < 1 ? cut.resize(width, height, { fit: "fill" }) : cut).raw().toBuffer();
  const patch = { width, height, data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
  const toPatch: Affine = [
    width / (x1 - x0),
    0,
    (-x0 * width) / (x1 - x0),
    0,
    height / (y1 - y0),
    (-y0 * height) / (y1 - y0),
  ];
  const corners = transformPoints([face.x, face.y, face.x + face.width, face.y + face.height], toPatch);
  const box = boundingBox(corners);
  return { patch, box, toFrame: invert(toPatch), square: cropBox(patch, box, PATCH_FACE, PATCH_FACE) };
}

const wholeOf = ({ width, height }: RgbImage): Box => ({ x: 0, y: 0, width, height });

/** 512 signed bytes in the feature's direction. */
function toBytes(feature: Float32Array): Int8Array {
  const most = feature.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-9);
  return Int8Array.from(feature, (value) => Math.round((127 * value) / most));
}

/** Whether each of 8 × 8 places of the aligned face is brighter than its right neighbour. */
function lookOf(image: RgbImage, landmarks: ArrayLike<number>): bigint {
  const [a, b, c, d, e, f] = alignmentMatrix(landmarks, 8);
  const { data } = warp(image, [(9 / 8) * a, (9 / 8) * b, (9 / 8) * c, d, e, f], 9, 8);
  const grey = (x: number, y: number) => {
    const at = (9 * y + x) * 3;
    return 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
  };
  let bits = 0n;
  for (let y = 0; y < 8; y++) for (let x = 0; x < 8; x++) bits = (bits << 1n) | BigInt(grey(x, y) > grey(x + 1, y));
  return bits;
}

/** Adds the time of some work to the observer's clock. */
export async function timed<T>({ clock }: Pick<Observer, "clock">, stage: string, work: () => Promise<T>): Promise<T> {
  if (!clock) return work();
  const began = performance.now();
  try {
    return await work();
  } finally {
    clock[stage] = (clock[stage] ?? 0) + (performance.now() - began) / 1000;
  }
}
