import {
  type Affine,
  cropBox,
  faceMaskWithoutHair,
  type Pose,
  type RgbImage,
  toSharp,
  transformPoints,
  warp,
} from "@omni-id/face/analysis";
import sharp from "sharp";
import type { ImageRecord } from "../identity.ts";
import { alignment } from "./align.ts";
import type { FaceSeen, MeasuredFace } from "./observation.ts";

/** A picture as it goes into a shard. */
export interface DrawnFace {
  image: Uint8Array;
  mask: Uint8Array;
  record: ImageRecord;
}

/** A drawn face, to be told in words. */
export interface FaceToTell {
  picture: RgbImage;
  /** 255 inside the face. */
  mask: Uint8Array;
  /** 68 points, pixels of the picture. */
  landmarks: ArrayLike<number>;
  pose: Pose;
}

/** Words for a drawn face. */
export type Captioner = (face: FaceToTell) => string;

/** The aligned picture of a face with mask, landmarks and pose. */
export async function drawFace(
  { image, t }: { image: RgbImage; t: number },
  { landmarks, pose, quality, size: side }: MeasuredFace,
  { size, clip, caption = "" }: { size: number; clip: string; caption?: string | Captioner },
): Promise<DrawnFace> {
  const align = alignment(landmarks);
  if (!align) throw new Error("a face without an alignment was kept"); // the filters let none through
  const toPicture = align.toUnit.map((value) => value * size) as unknown as Affine;
  const picture = warp(image, toPicture, size, size);
  const points = transformPoints(landmarks, toPicture);
  const mask = faceMaskWithoutHair(picture, points);
  // Alignment turns the head upright.
  const turned = (Math.atan2(toPicture[1], toPicture[0]) * 180) / Math.PI;
  const rounded = (value: number) => Math.round(value * 100) / 100;
  const upright = { yaw: pose.yaw, pitch: pose.pitch, roll: rounded(pose.roll - turned) };
  return {
    image: await toSharp(picture).jpeg({ quality: 95, chromaSubsampling: "4:4:4" }).toBuffer(),
    mask: await sharp(mask, { raw: { width: size, height: size, channels: 1 } })
      .png()
      .toBuffer(),
    record: {
      width: size,
      height: size,
      landmarks: Array.from(points, rounded),
      pose: upright,
      caption: typeof caption === "string" ? caption : caption({ picture, mask, landmarks: points, pose: upright }),
      quality,
      from: { clip, second: Math.round(t * 1000) / 1000, size: side },
    },
  };
}

const THUMB = 88;

/** A small picture of any face that was seen, for the report. */
export async function drawThumb(image: RgbImage, { box }: FaceSeen): Promise<Uint8Array> {
  const margin = 0.25 * box.width;
  const around = {
    x: box.x - margin,
    y: box.y - margin,
    width: box.width + 2 * margin,
    height: box.height + 2 * margin,
  };
  return toSharp(cropBox(image, around, THUMB, THUMB))
    .jpeg({ quality: 75 })
    .toBuffer();
}
