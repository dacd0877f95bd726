import { createHash } from "node:crypto";
import type { Clip } from "./clip.ts";

/** A video as a worker gets it. */
export interface VideoJob {
  video: string;
  clips: Clip[];
  /** Whether the report can show what was dropped of it. */
  sampled: boolean;
  /** What tells the files of this job from others, where they may change: then the source is done again. */
  files?: string;
}

/** Videos of which the report can show what was dropped. */
const SAMPLED = 200;

/** One of n equal parts of the work, counted from 1. */
export interface Part {
  index: number;
  count: number;
}

/** @throws when it is not `i/n` with 1 ≤ i ≤ n */
export function parsePart(text: string): Part {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text)?.map(Number) ?? [];
  if (!(index >= 1 && index <= count)) throw new Error(`--shard ${text}: write i/n with i from 1 to n, such as 3/16`);
  return { index, count };
}

/**
 * Clips by video, in the order of the ids. A part holds whole videos, so nobody is ever in two parts; what the report
 * samples is decided before the parts are.
 * @param clips sorted by video
 */
export function planVideos(clips: readonly Clip[], { seed, part }: { seed: number; part?: Part }): VideoJob[] {
  const byVideo = new Map<string, Clip[]>();
  for (const clip of clips) {
    const same = byVideo.get(clip.video);
    if (same) same.push(clip);
    else byVideo.set(clip.video, [clip]);
  }
  const videos = [...byVideo.keys()];
  const rank = (video: string) => createHash("sha256").update(`${seed}\0report\0${video}`).digest("hex");
  const sampled = new Set(
    videos
      .map((video) => [rank(video), video])
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, SAMPLED)
      .map(([, video]) => video),
  );
  return videos
    .filter((_, i) => !part || i % part.count === part.index - 1)
    .map((video) => ({ video, clips: byVideo.get(video) as Clip[], sampled: sampled.has(video) }));
}
