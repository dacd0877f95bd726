import type { Box } from "@omni-id/face/analysis";
import { boxIn, type Clip } from "./clip.ts";
import { thumbnail } from "./cuts.ts";
import type { ClipEnd, ClipJournal } from "./journal.ts";
import { type FrameMemory, type Observer, observeFrame } from "./observe.ts";
import { decodeFrames, planFrames, type VideoFrame } from "./video/decode.ts";
import { type Ffmpeg, VideoError } from "./video/ffmpeg.ts";
import { probeVideo, type VideoInfo } from "./video/probe.ts";

export interface ClipProgress {
  /** Frames looked at since the last message. */
  frames: number;
  /** Share of the clip that is done, 0…1, as its header tells. */
  share: number;
}

/** Looks at the frames of a clip that its journal does not hold yet. A clip that is of no use ends with the reason. */
export async function observeClip(
  clip: Clip,
  journal: ClipJournal,
  observer: Observer,
  { ffmpeg, onProgress }: { ffmpeg: Ffmpeg; onProgress?: (progress: ClipProgress) => void },
): Promise<ClipEnd> {
  if (journal.end) return journal.end;
  const finish = (end: ClipEnd) => {
    journal.finish(end);
    return end;
  };
  try {
    const info = probeVideo(ffmpeg, clip.path);
    const { fps } = observer.settings;
    const plan = planFrames(clip, info);
    const person = clip.box && inside(boxIn(clip.box, info.width, info.height), plan.region);
    const claimed = (plan.end ?? info.seconds ?? plan.start) - plan.start;
    const done = journal.frames.at(-1);
    let memory: FrameMemory | undefined;
    for await (const frame of decodeFrames(clip, { ffmpeg, info, fps, from: done?.n ?? 0 })) {
      if (done && frame.n === done.n) {
        // Decoded again only to be compared with the next one.
        memory = { thumbnail: thumbnail(frame.image), faces: done.faces.length > 0 };
        continue;
      }
      memory = await look(frame);
      onProgress?.({ frames: 1, share: claimed > 0 ? Math.min(1, frame.n / fps / claimed) : 0 });
    }
    const frames = journal.frames.length;
    return finish({ frames, ...earlyEnd(frames / fps, claimed, info) });

    async function look(frame: VideoFrame): Promise<FrameMemory> {
      const made = await observeFrame(observer, frame, memory, person);
      journal.add(made.seen);
      return made.memory;
    }
  } catch (error) {
    if (!(error instanceof VideoError)) throw error;
    return finish({ frames: journal.frames.length, refused: error.message });
  }
}

/** A header that claims more than there is: the file is cut off, or lies. */
function earlyEnd(seconds: number, claimed: number, info: VideoInfo): { note?: string } {
  if (!(info.seconds && claimed - seconds > Math.max(1, 0.1 * claimed))) return {};
  return { note: `ends after ${seconds.toFixed(1)} of ${claimed.toFixed(1)} seconds: cut off, or its header is wrong` };
}

const inside = (box: Box, region: Box): Box => ({ ...box, x: box.x - region.x, y: box.y - region.y });
