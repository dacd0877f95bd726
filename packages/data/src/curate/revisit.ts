import type { Clip } from "./clip.ts";
import type { FrameWork } from "./curate-source.ts";
import { decodeFrames } from "./video/decode.ts";
import { type Ffmpeg, VideoError } from "./video/ffmpeg.ts";
import { probeVideo } from "./video/probe.ts";
import { type Turn, uprighted } from "./video/turn.ts";

/** As many frames as one run of ffmpeg is asked for. */
const AT_ONCE = 200;

/** Decodes some frames of a film a second time, turned upright as they were the first time. */
export async function revisit(
  clip: Clip,
  work: FrameWork,
  { ffmpeg, fps, turn }: { ffmpeg: Ffmpeg; fps: number; turn?: Turn },
): Promise<void> {
  const numbers = [...work.keys()].sort((a, b) => a - b);
  if (numbers.length === 0) return;
  const info = uprighted(probeVideo(ffmpeg, clip.path), turn);
  for (let from = 0; from < numbers.length; from += AT_ONCE) {
    const only = numbers.slice(from, from + AT_ONCE);
    let count = 0;
    for await (const frame of decodeFrames(clip, { ffmpeg, info, fps, only })) {
      for (const task of work.get(frame.n) ?? []) await task(frame);
      count++;
    }
    if (count !== only.length) {
      throw new VideoError(`the file changed while it was read: ${count} of ${only.length} frames came a second time`);
    }
  }
}
