import type { Detection, FaceAnalyser, RgbImage } from "@omni-id/face/analysis";
import type { FrameSeen } from "./observation.ts";

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

/** Why a clip is of no use because of how it was filmed; `undefined` for one that is upright, or not known yet. */
export function whyLying(frames: readonly FrameSeen[]): string | undefined {
  const turns = turnsOf(frames);
  for (const [turn, filter] of Object.entries(UPRIGHTING)) {
    const lying = turns.filter((one) => one === Number(turn)).length;
    const upright = turns.filter((one) => one === 0 || one === 45 || one === 315).length;
    if (lying < LEAST_LYING || lying <= 2 * upright) continue;
    const way = turn === "180" ? "stands on its head" : "lies on its side";
    return `the film ${way} (faces are turned by ${turn}°); turn it first, with ffmpeg -i FILM -vf ${filter} OUT.mp4`;
  }
  return undefined;
}

/** The filter of ffmpeg that brings a film upright whose faces are turned clockwise. */
const UPRIGHTING = { 90: "transpose=2", 180: "hflip,vflip", 270: "transpose=1" } as const;

const turnsOf = (frames: readonly FrameSeen[]): number[] =>
  frames.flatMap(({ faces }) => faces.flatMap(({ turn }) => (turn === undefined ? [] : [turn])));
