import { readFileSync } from "node:fs";
import { type Clip, safeKey } from "../clip.ts";
import { checked, emptySource, numberOf, type SourceClips } from "./source.ts";
import type { VideoIndex } from "./video-files.ts";

/** Seconds of a chunk, as the data set's videos_split.sh cuts. */
const CHUNK = 60;

/**
 * TalkingHead-1KH, `*_video_tubes.txt`: `name, H, W, S, E, L, T, R, B` with name = `{video}_{0000}`, a chunk of a
 * minute; S and E are frames of the chunk, both included; the box is in pixels of W × H. Chunks that the data set's own
 * script cut are used where they are; else the whole video, whose frames are then only nearly the same, since the
 * script cuts at key frames.
 */
export function readTalkingHead(annotations: string, videos: VideoIndex): SourceClips {
  const source = emptySource();
  const missing = new Set<string>();
  for (const [i, line] of readFileSync(annotations, "utf8").split("\n").entries()) {
    if (line.trim() === "") continue;
    try {
      const clip = tubeClip(line, videos);
      if (clip.path) source.clips.push(clip);
      else missing.add(clip.video);
    } catch (error) {
      source.malformed.push({ where: `${annotations}:${i + 1}`, what: (error as Error).message });
    }
  }
  source.missing = [...missing];
  return source;
}

function tubeClip(line: string, videos: VideoIndex): Clip {
  const fields = line.split(",").map((field) => field.trim());
  if (fields.length !== 9)
    throw new Error(`nine fields are expected (name, H, W, S, E, L, T, R, B), not ${fields.length}`);
  const [name, ...rest] = fields;
  const [height, width, start, end, left, top, right, bottom] = rest.map((text, i) => numberOf(text, "HWSELTRB"[i]));
  const [, video, chunk] = /^(.+)_(\d+)$/.exec(name) ?? [];
  if (!video) throw new Error(`the name "${name}" should end in _ and the chunk's number`);
  const cut = videos.find(name);
  const from = cut ? 0 : Number(chunk) * CHUNK;
  return checked({
    video,
    name: safeKey(`${chunk}-S${start}-E${end}-L${left}-T${top}`),
    path: cut ?? videos.find(video) ?? "",
    span: { unit: "frames", start, end, ...(from > 0 && { from }) },
    box: { unit: "pixels", left, top, right, bottom, width, height },
  });
}
