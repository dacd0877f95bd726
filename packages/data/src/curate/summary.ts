import type { Pose } from "@omni-id/face/analysis";
import { REASONS, type Reason } from "./observation.ts";
import type { Outcome } from "./outcome.ts";

/** A histogram: counts of equal steps from `from` on; what lies outside counts in the first or last. */
export interface Histogram {
  from: number;
  step: number;
  /** Faces that passed all measurements. */
  measured: number[];
  /** Faces that became pictures. */
  kept: number[];
}

/** What a curated set is, in numbers. */
export interface SetSummary {
  videos: number;
  /** Videos with at least one identity. */
  fruitful: number;
  clips: number;
  refused: { video: string; clip: string; why: string }[];
  notes: { video: string; clip: string; note: string }[];
  frames: number;
  emptyFrames: number;
  cuts: number;
  faces: number;
  dropped: Record<Reason, number>;
  kept: number;
  /** People that were told apart, and those who have enough pictures. */
  people: number;
  identities: number;
  /** Measured and kept faces by pitch (rows, from 45° down) and yaw (columns, from −90° on), 15° each. */
  poses: { measured: number[][]; kept: number[][] };
  sizes: Histogram;
  qualities: Histogram;
}

export const POSE_STEP = 15;
const [COLUMNS, ROWS] = [12, 6];

/** Lists of single clips in a report and a summary end here. */
const MOST_LISTED = 200;

const grid = () => Array.from({ length: ROWS }, () => new Array<number>(COLUMNS).fill(0));
const histogram = (step: number, bins: number): Histogram => ({
  from: 0,
  step,
  measured: new Array<number>(bins).fill(0),
  kept: new Array<number>(bins).fill(0),
});

/** Counts the finished videos of a set. */
export function summarise(outcomes: Iterable<Outcome>): SetSummary {
  const sum: SetSummary = {
    ...{ videos: 0, fruitful: 0, clips: 0, refused: [], notes: [] },
    ...{ frames: 0, emptyFrames: 0, cuts: 0, faces: 0 },
    dropped: Object.fromEntries(Object.keys(REASONS).map((why) => [why, 0])) as Record<Reason, number>,
    ...{ kept: 0, people: 0, identities: 0 },
    poses: { measured: grid(), kept: grid() },
    sizes: histogram(32, 40),
    qualities: histogram(0.05, 20),
  };
  for (const { video, clips, faces, people } of outcomes) {
    sum.videos++;
    sum.people += people.length;
    const identities = people.filter(({ pictures }) => pictures > 0).length;
    sum.identities += identities;
    sum.fruitful += Number(identities > 0);
    for (const { clip, frames, empty, cuts, refused, note } of clips) {
      sum.clips++;
      sum.frames += frames;
      sum.emptyFrames += empty;
      sum.cuts += cuts.length;
      if (refused && sum.refused.length < MOST_LISTED) sum.refused.push({ video: video.video, clip, why: refused });
      if (note && sum.notes.length < MOST_LISTED) sum.notes.push({ video: video.video, clip, note });
    }
    for (const { why, pose, size, quality } of faces) {
      sum.faces++;
      if (why) sum.dropped[why]++;
      else sum.kept++;
      if (!pose || size === undefined || quality === undefined) continue;
      for (const which of why ? (["measured"] as const) : (["measured", "kept"] as const)) {
        count(sum.poses[which], pose);
        bin(sum.sizes, which, size);
        bin(sum.qualities, which, quality);
      }
    }
  }
  return sum;
}

const clamp = (value: number, bins: number) => Math.max(0, Math.min(bins - 1, Math.floor(value)));

function count(poses: number[][], { yaw, pitch }: Pose): void {
  poses[clamp((45 - pitch) / POSE_STEP, ROWS)][clamp((yaw + 90) / POSE_STEP, COLUMNS)]++;
}

function bin(histogram: Histogram, which: "measured" | "kept", value: number): void {
  const bins = histogram[which];
  bins[clamp((value - histogram.from) / histogram.step, bins.length)]++;
}
