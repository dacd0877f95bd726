import type { RgbImage } from "@omni-id/face";
import { cat, scope, type Tensor } from "@omni-id/torch";
import type { Identity } from "../identity.ts";
import { saveSheet, toRgb } from "../pictures/picture.ts";
import type { FaceGenerator } from "./face-generator.ts";

const YAWS = [-40, -20, 0, 20, 40];
const SEED = 5;

/** What a sheet shows of somebody: pictures in five poses with their landmarks. */
export interface DrawnPoses {
  /** `[5, 3, S, S]` in [−1, 1] */
  pictures: Tensor;
  landmarks: Float32Array[];
}

/** Somebody in five poses, from noise. */
export function drawPoses(
  generator: FaceGenerator,
  { tokens }: Identity,
  { again = 0, guidance }: { again?: number; guidance?: number } = {},
): DrawnPoses {
  const landmarks = YAWS.map((yaw) => generator.poseLandmarks({ yaw, pitch: 0 }));
  const draw = (points: Float32Array) =>
    generator.generate({ identity: tokens, landmarks: points, count: 1, seed: SEED + again, guidance });
  return { pictures: scope(() => cat(landmarks.map(draw))).keep(), landmarks };
}

/**
 * New pictures of a person in five poses, twice, and of somebody else from the same noise.
 * @param rows each with three of the photos, aligned
 */
export async function saveGeneratedSheet(
  file: string,
  rows: readonly { inputs: (RgbImage | null)[]; drawn: DrawnPoses }[],
  { photos, guidance, notes }: { photos: number; guidance: number; notes: readonly string[] },
): Promise<void> {
  await saveSheet(file, {
    title: `New pictures of a person, from one identity of ${photos} photos`,
    columns: ["inputs", "", "", ...YAWS.map((yaw) => `yaw ${yaw}°`)],
    rows: rows.map(({ inputs, drawn }) => [...inputs, ...scope(() => drawn.pictures.unbind(0).map(toRgb))]),
    notes: [
      ...notes,
      "Every pixel on the right comes from noise: of the person only the identity file is given, of the pose only 68 landmarks of a mean face.",
      `Guidance ${guidance}. Second row: other noise. Third row: somebody else's identity, with the first row's noise and poses.`,
    ],
    tile: 128,
  });
}
