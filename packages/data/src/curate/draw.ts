import {
  type Affine,
  cropBox,
  faceMaskWithoutHair,
  type RgbImage,
  toSharp,
  transformPoints,
  warp,
} from "@omni-id/face/analysis";
import sharp from "sharp";
import type { ImageRecord } from "../identity.ts";
import { alignment } from "./align.ts";
import type { Clip } from "./clip.ts";
import type { FaceSeen, MeasuredFace } from "./observation.ts";
import { decodeFrames, type VideoFrame } from "./video/decode.ts";
import { type Ffmpeg, VideoError } from "./video/ffmpeg.ts";
import { probeVideo } from "./video/probe.ts";

/** A picture as it goes into a shard. */
export interface DrawnFace {
  image: Uint8Array;
  mask: Uint8Array;
  record: ImageRecord;
}

/** Frames of a clip that are wanted again, with what is to be done with each. */
export type FrameWork = Map<number, ((frame: VideoFrame) => Promise<void>)[]>;

/** As many frames as one run of ffmpeg is asked for. */
const AT_ONCE = 200;

/** Decodes some frames of a clip a second time: the first time nobody knew which ones would be kept. */
export async function revisit(
  clip: Clip,
  work: FrameWork,
  { ffmpeg, fps }: { ffmpeg: Ffmpeg; fps: number },
): Promise<void> {
  const numbers = [...work.keys()].sort((a, b) => a - b);
  if (numbers.length === 0) return;
  const info = probeVideo(ffmpeg, clip.path);
  for (let from = 0; from < numbers.length; from += AT_ONCE) {
    const only = numbers.slice(from, from + AT_ONCE);
    let count = 0;
    for await (const frame of decodeFrames(clip, { ffmpeg, info, fps, only })) {
      for (const task of work.get(frame.n) ?? []) await task(frame);
      count++;
    }
    if (count !== only.length) {
      throw new VideoError(`the file changed while it was read: ${count} of ${only.length} frames came a second time`);
    }
  }
}

/** The aligned picture of a face with mask, landmarks and pose. */
export async function drawFace(
  { image, t }: VideoFrame,
  { landmarks, pose, quality, size: side }: MeasuredFace,
  { size, clip, caption = "" }: { size: number; clip: string; caption?: string },
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
  return {
    image: await toSharp(picture).jpeg({ quality: 95, chromaSubsampling: "4:4:4" }).toBuffer(),
    mask: await sharp(mask, { raw: { width: size, height: size, channels: 1 } })
      .png()
      .toBuffer(),
    record: {
      width: size,
      height: size,
      landmarks: Array.from(points, rounded),
      pose: { yaw: pose.yaw, pitch: pose.pitch, roll: rounded(pose.roll - turned) },
      caption,
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
