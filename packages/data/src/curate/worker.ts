import { decideVideo } from "./decide.ts";
import { observeClip } from "./observe-clip.ts";
import type { VideoJob } from "./plan.ts";
import { revisit } from "./revisit.ts";
import { type CommonJob, serve } from "./serve.ts";
import type { CurateSettings } from "./settings.ts";
import type { Ffmpeg } from "./video/ffmpeg.ts";

/** A video with all that a worker has to know. */
export interface CurateJob extends VideoJob, CommonJob {
  settings: CurateSettings;
  ffmpeg: Ffmpeg;
}

serve<CurateJob>(({ settings, ffmpeg }, faces) => ({
  settings,
  observe: (clip, journal, onProgress) => observeClip(clip, journal, { ...faces, settings }, { ffmpeg, onProgress }),
  decide: (seen) => decideVideo(seen, settings),
  revisit: (clip, work, turn) => revisit(clip, work, { ffmpeg, fps: settings.fps, turn }),
}));
