import type { Pose } from "@omni-id/face";
import type { SceneTruth } from "./synth/scenes/truth.ts";

/** What is known of one image of an identity; the image itself is a file beside it in the shard. */
export interface ImageRecord {
  width: number;
  height: number;
  /** 68 points, x0, y0, …, pixels of the image (first pixel's centre at 0.5). */
  landmarks: number[];
  pose: Pose;
  caption: string;
  expression?: string;
  /** Other wordings of the caption, and it, where there are several. */
  captions?: string[];
  /** What a rendered scene shows, in single words. */
  scene?: SceneTruth;
  /** 0…1, where it was measured. */
  quality?: number;
  /** Where it was taken from, of curated videos and imported photos. */
  from?: {
    /** Clip of the video, or name of the photo. */
    clip: string;
    /** Second of the file; 0 of a photo. */
    second: number;
    /** Side of the face's aligned square in the frame, pixels. */
    size: number;
  };
}

/** One person with some images: the JSON of a shard's sample. */
export interface IdentityRecord {
  id: string;
  /** Where the images come from, such as "synthetic" or a video's id: a person recurs within a source. */
  source: string;
  images: ImageRecord[];
  /** What is known of the person. */
  attributes?: Readonly<Record<string, string | number | boolean>>;
}

/** Reads the JSON of a sample. @throws a message that begins with `where` when it is no identity record */
export function parseIdentity(where: string, text: string): IdentityRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${where}: no JSON (${(error as Error).message})`);
  }
  const { id, source, images } = (value ?? {}) as Partial<IdentityRecord>;
  if (typeof id !== "string" || id === "") throw new Error(`${where}: "id" is missing`);
  if (typeof source !== "string") throw new Error(`${where}: "source" is missing`);
  if (!Array.isArray(images) || images.length === 0) throw new Error(`${where}: "images" is no list of images`);
  for (const [i, image] of images.entries()) checkImage(`${where}: image ${i}`, image);
  return value as IdentityRecord;
}

function checkImage(where: string, image: Partial<ImageRecord> | null): void {
  const size = (x: unknown) => Number.isInteger(x) && (x as number) > 0;
  if (!size(image?.width) || !size(image?.height)) throw new Error(`${where}: "width" and "height" are missing`);
  const { landmarks, pose } = image as ImageRecord;
  if (!Array.isArray(landmarks) || landmarks.length !== 136 || !landmarks.every(Number.isFinite)) {
    throw new Error(`${where}: "landmarks" must be 136 numbers (68 points)`);
  }
  if (![pose?.yaw, pose?.pitch, pose?.roll].every(Number.isFinite)) {
    throw new Error(`${where}: "pose" needs yaw, pitch and roll in degrees`);
  }
}
