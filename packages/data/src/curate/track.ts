import { type Box, overlap } from "@omni-id/face/analysis";
import type { FrameSeen } from "./observation.ts";

/** A face of a clip: index of its frame, and of the face in it. */
export interface FaceAt {
  frame: number;
  face: number;
}

/** Frames without a face after which its track ends. */
const MOST_MISSED = 2;
/** How far a face may move between two looks, over its width, and how much it may grow. */
const MOST_MOVED = 0.8;
const MOST_GROWN = 1.6;

interface Track {
  faces: FaceAt[];
  box: Box;
  last: number;
}

/**
 * Follows faces from frame to frame: each goes on with the nearest one before, best pairs first. Tracks end at cuts.
 * Faces that were dropped are followed too, so that a blurred moment does not tear a track.
 */
export function trackFaces(frames: readonly FrameSeen[]): FaceAt[][] {
  const done: Track[] = [];
  let open: Track[] = [];
  for (const [frame, { faces, cut }] of frames.entries()) {
    const alive = open.filter(({ last }) => !cut && frame - last <= 1 + MOST_MISSED);
    done.push(...open.filter((track) => !alive.includes(track)));
    open = alive;
    const pairs = open
      .flatMap((track) => faces.map(({ box }, face) => ({ track, face, near: nearness(track.box, box) })))
      .filter(({ near }) => near > 0)
      .sort((a, b) => b.near - a.near);
    const taken = new Set<number>();
    for (const { track, face } of pairs) {
      if (taken.has(face) || track.last === frame) continue;
      taken.add(face);
      track.faces.push({ frame, face });
      track.box = faces[face].box;
      track.last = frame;
    }
    for (const [face, { box }] of faces.entries()) {
      if (!taken.has(face)) open.push({ faces: [{ frame, face }], box, last: frame });
    }
  }
  const first = ({ faces: [start] }: Track) => start;
  return [...done, ...open]
    .sort((a, b) => first(a).frame - first(b).frame || first(a).face - first(b).face)
    .map(({ faces }) => faces);
}

/** Above 0 where two boxes of neighbouring frames can be one face; more the nearer they are. */
function nearness(a: Box, b: Box): number {
  const grown = Math.max(a.width / b.width, b.width / a.width);
  const size = (a.width + b.width) / 2;
  const moved = Math.hypot(a.x + a.width / 2 - b.x - b.width / 2, a.y + a.height / 2 - b.y - b.height / 2) / size;
  if (grown > MOST_GROWN || moved > MOST_MOVED) return 0;
  return overlap(a, b) + 1 - moved / MOST_MOVED + 1e-6;
}
