import { join } from "node:path";
import { safeKey } from "./clip.ts";

/** Where the parts of a curated set lie. */
export const places = (out: string, video: string) => {
  const key = safeKey(video);
  return {
    /** What was seen, clip by clip, while the video is in work. */
    observations: join(out, "work", key),
    /** The video's people, until the shards are written. */
    people: join(out, "work", `${key}.tar`),
    /** What became of every face; it marks a finished video. */
    outcome: join(out, "journal", `${key}.jsonl`),
    /** Small pictures of dropped faces. */
    dropped: join(out, "journal", `${key}.dropped.json`),
  };
};
