import type { Pose, RgbImage } from "@omni-id/face/analysis";
import type { FaceToTell } from "../curate/draw.ts";
import { showsGlasses } from "./glasses.ts";

/** Degrees of yaw from which a head is turned, and turned far: as in the captions of rendered people. */
const [TURNED, FAR] = [12, 40];
/** Degrees of pitch from which somebody looks up or down. */
const TILTED = 15;
/** Mean brightness of the face below which light is dim, and above which it is bright, 0…255. */
const [DIM, BRIGHT] = [70, 185];
/** How much brighter one half of the face is when light comes from that side. */
const SIDE = 1.35;

/** What can be measured of a picture, in words: glasses that are surely there, pose and light. Who is shown is not guessed. */
export function describeFace({ picture, mask, landmarks, pose }: FaceToTell): string {
  const person = `a photo of a person${showsGlasses(picture, landmarks, pose) ? " with glasses" : ""}`;
  return [person, poseInWords(pose), lightInWords(picture, mask, pose)].filter(Boolean).join(", ");
}

export function poseInWords({ yaw, pitch }: Pose): string {
  const side = yaw > 0 ? "right" : "left";
  const turned = Math.abs(yaw) < TURNED ? "" : `turned ${Math.abs(yaw) > FAR ? "far " : ""}to the ${side}`;
  const tilted = Math.abs(pitch) < TILTED ? "" : pitch > 0 ? "looking up" : "looking down";
  return [turned, tilted].filter(Boolean).join(", ") || "facing the camera";
}

/** Light on the face; from a side only where the head is not turned, for a turned one shows its sides unequally. */
export function lightInWords({ width, data }: RgbImage, mask: Uint8Array, { yaw }: Pose): string {
  const inside: { x: number; grey: number }[] = [];
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] < 128) continue;
    inside.push({ x: i % width, grey: 0.299 * data[3 * i] + 0.587 * data[3 * i + 1] + 0.114 * data[3 * i + 2] });
  }
  if (inside.length === 0) return "";
  const mean = (some: readonly { grey: number }[]) =>
    some.reduce((sum, { grey }) => sum + grey, 0) / Math.max(1, some.length);
  const middle = inside.reduce((sum, { x }) => sum + x, 0) / inside.length;
  const [left, right] = [mean(inside.filter(({ x }) => x < middle)), mean(inside.filter(({ x }) => x > middle))];
  if (Math.abs(yaw) < TURNED && Math.max(left, right) > SIDE * Math.max(1, Math.min(left, right))) {
    return `light from the ${right > left ? "right" : "left"}`;
  }
  const all = mean(inside);
  return all < DIM ? "dim light" : all > BRIGHT ? "bright light" : "even light";
}
