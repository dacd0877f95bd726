import { placeLandmarks } from "./landmark-net.ts";
import type { Network } from "./network.ts";
import type { Box, RgbImage } from "./picture-types.ts";
import { describeFace, type FaceDescription } from "./recognise.ts";

/** Landmarks of a face, what the recogniser makes of it, and how much of a person it sees there. */
export interface FaceLook extends FaceDescription {
  landmarks: Float32Array;
  /**
   * The feature's strength, less what loose landmarks take from it. Of 250-pixel press photographs 95 % have more than
   * 2.8; faces that lie on their side, or are blurred past telling, have less than 2.2. `docs/usable-faces.md` has the
   * measurement.
   */
  clarity: number;
}

/** How far the box is shifted, over its side, to see whether the landmarks stay. */
const SHIFT = [0.06, -0.04] as const;
/** What landmarks that move by the width of the box would take from the strength, and the most that counts. */
const LOOSE = 12;
const MOST_DRIFT = 0.1;

/** Looks at the face in a box, upright. */
export async function lookAt(
  { landmark, recogniser }: { landmark: Network; recogniser: Network },
  image: RgbImage,
  box: Box,
): Promise<FaceLook> {
  const landmarks = await placeLandmarks(landmark, image, box);
  const shifted = { ...box, x: box.x + SHIFT[0] * box.width, y: box.y + SHIFT[1] * box.height };
  const again = await placeLandmarks(landmark, image, shifted);
  const moved = landmarks.reduce((sum, value, i) => sum + Math.abs(value - again[i]), 0) / landmarks.length;
  const { feature, strength } = await describeFace(recogniser, image, landmarks);
  return { landmarks, feature, strength, clarity: strength - LOOSE * Math.min(MOST_DRIFT, moved / box.width) };
}
