import type { Box, RgbImage } from "@omni-id/face/analysis";
import { boxIn, type Clip } from "./clip.ts";
import { thumbnail } from "./cuts.ts";
import type { ClipEnd, ClipJournal } from "./journal.ts";
import { isAsking, lyingBy, lyingWords } from "./lying.ts";
import type { FrameSeen } from "./observation.ts";
import { type FrameMemory, type Observer, observeFrame } from "./observe.ts";
import { decodeFrames, planFrames } from "./video/decode.ts";
import { type Ffmpeg, VideoError } from "./video/ffmpeg.ts";
import { probeVideo, type VideoInfo } from "./video/probe.ts";
import { type Turn, UPRIGHTING, uprighted } from "./video/turn.ts";

export interface ClipProgress {
  /** Frames looked at since the last message. */
  frames: number;
  /** Share of the clip that is done, 0…1, as its header tells. */
  share: number;
}

/**
 * Looks at the frames of a clip that its journal does not hold yet. A film that lies on its side is looked at anew,
 * turned. A clip that is of no use ends with the reason.
 */
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
    const info = uprighted(probeVideo(ffmpeg, clip.path), journal.turn);
    const { fps } = observer.settings;
    const plan = planFrames(clip, info);
    const person = clip.box && inside(boxIn(clip.box, info.width, info.height), plan.region);
    const claimed = (plan.end ?? info.seconds ?? plan.start) - plan.start;
    const done = journal.frames.at(-1);
    let before: { seen: FrameSeen; image: RgbImage; memory: FrameMemory } | undefined;
    for await (const frame of decodeFrames(clip, { ffmpeg, info, fps, from: done?.n ?? 0 })) {
      const { n, t, image } = frame;
      if (done && n === done.n) {
        // Decoded again only to be compared with the next one.
        before = { seen: done, image, memory: { thumbnail: thumbnail(image), faces: done.faces.length > 0 } };
        continue;
      }
      // A slow video, or a gap in its clock, comes as one frame again and again: it is looked at once.
      const { seen, memory } =
        before && Buffer.compare(before.image.data, image.data) === 0
          ? { seen: { ...before.seen, n, t, cut: false }, memory: before.memory }
          : await observeFrame(observer, frame, before?.memory, { person, asking: isAsking(journal.frames) });
      before = { seen: journal.add(seen), image, memory };
      if (!isAsking(journal.frames) && lyingBy(journal.frames)) break;
      onProgress?.({ frames: 1, share: claimed > 0 ? Math.min(1, n / fps / claimed) : 0 });
    }
    const frames = journal.frames.length;
    const lying = lyingBy(journal.frames);
    if (lying && (clip.box || journal.turn)) return finish({ frames, refused: whyRefused(lying, clip) });
    if (lying) {
      journal.turnBy(lying);
      return await observeClip(clip, journal, observer, { ffmpeg, onProgress });
    }
    const turned = journal.turn && `it ${lyingWords(journal.turn)}, and was turned upright`;
    const { note: early } = earlyEnd(frames / fps, claimed, info);
    const note = [turned, early].filter((one) => one !== undefined).join("; ");
    return finish({ frames, ...(note && { note }) });
  } catch (error) {
    if (!(error instanceof VideoError)) throw error;
    return finish({ frames: journal.frames.length, refused: error.message });
  }
}

/** A box was drawn on the film as it lies; and what fits in no turn is of no use. */
function whyRefused(turn: Turn, { box }: Clip): string {
  if (!box) return "its faces lie on their side, and turned upright they do too";
  const filter = UPRIGHTING[turn];
  return `the film ${lyingWords(turn)}; turn it and its box first, with ffmpeg -i FILM -vf ${filter} OUT.mp4`;
}

/** A header that claims more than there is: the file is cut off, or lies. */
function earlyEnd(seconds: number, claimed: number, info: VideoInfo): { note?: string } {
  if (!(info.seconds && claimed - seconds > Math.max(1, 0.1 * claimed))) return {};
  return { note: `ends after ${seconds.toFixed(1)} of ${claimed.toFixed(1)} seconds: cut off, or its header is wrong` };
}

const inside = (box: Box, region: Box): Box => ({ ...box, x: box.x - region.x, y: box.y - region.y });
