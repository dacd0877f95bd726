import type { Box, Pose } from "@omni-id/face/analysis";

/** Why a face went no further, in the order of the stages. */
export const REASONS = {
  outside: "not the person of the clip's box",
  small: "the face is too small",
  edge: "cut off by the edge of the frame",
  blurred: "blurred",
  turned: "turned too far away",
  unclear: "recorded too badly: dark, noisy, compressed or hidden",
  stray: "seen too briefly to tell who it is",
  stranger: "does not look like the rest of its person",
  second: "a second person among the photos of one",
  bystander: "another person in the picture",
  worse: "recorded much worse than the rest of its person",
  duplicate: "nearly the same as a better one",
  unneeded: "another one of its pose is better",
  enough: "the chosen ones cover its pose",
  few: "its person has too few different views",
  twin: "its person was kept from other clips",
} as const;
export type Reason = keyof typeof REASONS;

/** A face as it was seen in a frame: only what was measured before it was dropped. Pixels of the decoded region. */
export interface FaceSeen {
  box: Box;
  score: number;
  /** Why it was dropped while it was measured. */
  why?: Reason;
  /** Side of its aligned square. */
  size?: number;
  /** Share of that square outside the frame. */
  outside?: number;
  /** Of a photo: how far from its middle the face is, over the way to a corner. */
  away?: number;
  detail?: number;
  /** Degrees clockwise, where it was asked which way is up. */
  turn?: number;
  pose?: Pose;
  /** 0…1 */
  quality?: number;
  /** 68 points. */
  landmarks?: number[];
  /** The recogniser's feature in 512 signed bytes; its length means nothing. */
  feature?: Int8Array;
  /** Brightness differences of the aligned face, 64 bits. */
  look?: bigint;
}

/** A face that passed all measurements. */
export type MeasuredFace = FaceSeen & Required<Omit<FaceSeen, "why" | "away" | "turn">>;

export const isMeasured = (face: FaceSeen): face is MeasuredFace =>
  face.why === undefined && face.feature !== undefined;

export interface FrameSeen {
  /** Number of the frame in its clip. */
  n: number;
  /** Seconds of the file. */
  t: number;
  /** Another scene than the frame before. */
  cut: boolean;
  faces: FaceSeen[];
}

/** Cosine of two features. */
export function likeness(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return dot / (Math.sqrt(aa * bb) || 1);
}

/** A frame as a line of a journal: numbers rounded to what they are worth. */
export function frameLine({ n, t, cut, faces }: FrameSeen): string {
  return JSON.stringify({ n, t: round(t, 3), ...(cut && { cut: 1 }), faces: faces.map(faceRecord) });
}

/** @throws when a line is no frame */
export function parseFrame(line: string): FrameSeen {
  const { n, t, cut, faces } = JSON.parse(line) as { n: number; t: number; cut?: 1; faces: FaceRecord[] };
  if (!Number.isInteger(n) || !Array.isArray(faces)) throw new Error("not a frame");
  return { n, t, cut: cut === 1, faces: faces.map(faceOf) };
}

interface FaceRecord {
  box: [number, number, number, number];
  score: number;
  why?: Reason;
  size?: number;
  outside?: number;
  away?: number;
  detail?: number;
  turn?: number;
  pose?: [number, number, number];
  quality?: number;
  landmarks?: number[];
  feature?: string;
  look?: string;
}

function faceRecord(face: FaceSeen): FaceRecord {
  const { box, score, why, size, outside, away, detail, turn, pose, quality, landmarks, feature, look } = face;
  return {
    box: [round(box.x, 1), round(box.y, 1), round(box.width, 1), round(box.height, 1)],
    score: round(score, 3),
    why,
    size: size === undefined ? undefined : round(size, 1),
    outside: outside === undefined ? undefined : round(outside, 3),
    away: away === undefined ? undefined : round(away, 3),
    detail: detail === undefined ? undefined : round(detail, 4),
    turn,
    pose: pose && [round(pose.yaw, 1), round(pose.pitch, 1), round(pose.roll, 1)],
    quality: quality === undefined ? undefined : round(quality, 4),
    landmarks: landmarks?.map((value) => round(value, 2)),
    feature: feature && Buffer.from(feature.buffer, feature.byteOffset, feature.length).toString("base64"),
    look: look?.toString(16),
  };
}

function faceOf({ box, pose, feature, look, ...rest }: FaceRecord): FaceSeen {
  return {
    ...rest,
    box: { x: box[0], y: box[1], width: box[2], height: box[3] },
    ...(pose && { pose: { yaw: pose[0], pitch: pose[1], roll: pose[2] } }),
    ...(feature && { feature: new Int8Array(Buffer.from(feature, "base64")) }),
    ...(look && { look: BigInt(`0x${look}`) }),
  };
}

const round = (value: number, digits: number) => Math.round(value * 10 ** digits) / 10 ** digits;
