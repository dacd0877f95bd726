import { KeyedRandom } from "../random.ts";
import type { Decision } from "./decide.ts";
import type { PlacedFace } from "./identity.ts";
import type { FaceSeen, FrameSeen, Reason } from "./observation.ts";

/** A dropped face as the report shows it. */
export interface Thumb {
  why: Reason;
  second: number;
  quality?: number;
  detail?: number;
  size?: number;
  /** JPEG, base64. */
  picture: string;
}

/** A dropped face that is to be drawn. */
export interface Shown {
  clip: number;
  frame: FrameSeen;
  face: FaceSeen;
  why: Reason;
}

/** Thumbs of a video for each reason. */
const SHOWN = 2;

/** Some dropped faces of every reason, chosen by the seed alone. */
export function sampleDropped(seen: readonly FrameSeen[][], { dropped }: Decision, seed: number): Shown[] {
  const byReason = new Map<Reason, Shown[]>();
  for (const [clip, frames] of seen.entries()) {
    for (const frame of frames) {
      for (const face of frame.faces) {
        const why = face.why ?? dropped.get(face as PlacedFace["seen"]);
        if (!why) continue;
        const same = byReason.get(why) ?? [];
        byReason.set(why, same);
        same.push({ clip, frame, face, why });
      }
    }
  }
  return [...byReason.values()].flatMap((all) =>
    new KeyedRandom(seed, all.length, 0xd709).choose(all.length, Math.min(SHOWN, all.length)).map((i) => all[i]),
  );
}
