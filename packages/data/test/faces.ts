import type { Pose } from "@omni-id/face/analysis";
import type { PlacedFace } from "../src/curate/identity.ts";
import type { FrameSeen, MeasuredFace } from "../src/curate/observation.ts";
import { KeyedRandom } from "../src/random.ts";

/** A feature of a made-up person: a direction of its own, blurred by `spread`. */
export function featureOf(person: number, random: KeyedRandom, spread = 0.5): Int8Array {
  const own = new KeyedRandom(person, 0xfea7);
  return Int8Array.from({ length: 512 }, () => 40 * (own.normal() + spread * random.normal()));
}

export interface FaceOptions {
  person?: number;
  pose?: Partial<Pose>;
  quality?: number;
  look?: bigint;
  x?: number;
  y?: number;
  width?: number;
}

/** A measured face of a made-up person. */
export function faceOf(random: KeyedRandom, options: FaceOptions = {}): MeasuredFace {
  const { person = 0, pose = {}, quality = 0.5, x = 100, y = 100, width = 80 } = options;
  return {
    box: { x, y, width, height: width },
    score: 0.99,
    size: 1.3 * width,
    outside: 0,
    detail: 0.4,
    pose: { yaw: 0, pitch: 0, roll: 0, ...pose },
    quality,
    landmarks: Array.from({ length: 136 }, (_, i) => x + (i % 7) * 5),
    feature: featureOf(person, random),
    look: options.look ?? (BigInt(random.below(2 ** 31)) << 31n) | BigInt(random.below(2 ** 31)),
  };
}

export const frameOf = (n: number, faces: MeasuredFace[], cut = false): FrameSeen => ({ n, t: n / 5, cut, faces });

export const placed = (seen: MeasuredFace, frame: number, clip = 0, face = 0): PlacedFace => ({
  clip,
  frame,
  face,
  seen,
});
