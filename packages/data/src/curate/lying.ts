import type { Detection, FaceAnalyser, RgbImage } from "@omni-id/face/analysis";
import type { FrameSeen } from "./observation.ts";
import { TURNS, type Turn } from "./video/turn.ts";

/** Faces of a clip that are looked at in other turns too, and frames within which they must come. */
const ASKED_FACES = 6;
const ASKED_FRAMES = 50;
/** As many faces on their side, and more than twice as many as upright ones, make a film that lies on its side. */
const LEAST_LYING = 3;
/** Strength of the recogniser's feature from which on a face is upright, as far as networks see. */
const UPRIGHT = 2.4;

/** Whether the faces of the next frame are to be asked which way is up; what a journal holds decides, resumed or not. */
export function isAsking(frames: readonly FrameSeen[]): boolean {
  return frames.length < ASKED_FRAMES && turnsOf(frames).length < ASKED_FACES;
}

/** Degrees clockwise that a face is turned by: 0 upright, `undefined` where it fits in no turn. */
export async function turnOf(
  analyser: FaceAnalyser,
  frame: RgbImage,
  found: Detection,
  strength: number,
): Promise<number | undefined> {
  const turned = await analyser.turned(frame, found, strength);
  return turned?.turn ?? (strength >= UPRIGHT ? 0 : undefined);
}

/** How a film lies whose faces are turned clockwise; `undefined` for one that is upright, or not known yet. */
export function lyingBy(frames: readonly FrameSeen[]): Turn | undefined {
  const turns = turnsOf(frames);
  const upright = turns.filter((one) => one === 0 || one === 45 || one === 315).length;
  return TURNS.find((turn) => {
    const lying = turns.filter((one) => one === turn).length;
    return lying >= LEAST_LYING && lying > 2 * upright;
  });
}

/** In words. */
export const lyingWords = (turn: Turn): string =>
  `${turn === 180 ? "stands on its head" : "lies on its side"} (faces are turned by ${turn}°)`;

const turnsOf = (frames: readonly FrameSeen[]): number[] =>
  frames.flatMap(({ faces }) => faces.flatMap(({ turn }) => (turn === undefined ? [] : [turn])));
