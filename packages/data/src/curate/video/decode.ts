import type { Box, RgbImage } from "@omni-id/face/analysis";
import { boxIn, type Clip } from "../clip.ts";
import { complaint, type Ffmpeg, LOCAL_ONLY, startVideoProcess, VideoError, type VideoProcess } from "./ffmpeg.ts";
import type { VideoInfo } from "./probe.ts";
import { UPRIGHTING } from "./turn.ts";

/** A decoded frame. */
export interface VideoFrame {
  /** Number among the frames taken from the clip. */
  n: number;
  /** Seconds from the start of the file. */
  t: number;
  image: RgbImage;
}

export interface DecodeOptions {
  ffmpeg: Ffmpeg;
  info: VideoInfo;
  /** Frames a second to take. */
  fps: number;
  /** Give only these frames, in rising order; all others are decoded and thrown away inside ffmpeg. */
  only?: readonly number[];
  /** Give frames from this number on. */
  from?: number;
}

/** How the frames of a clip are to be cut out of the file. */
export interface FramePlan {
  /** Seconds of the file. */
  start: number;
  end?: number;
  /** Part of the upright picture that is decoded. */
  region: Box;
}

/** The region around a clip's box: an aligned face reaches beyond the box that was drawn around it. */
const MARGIN = 0.35;
/** A decoder that has been silent for so long, in milliseconds, hangs. */
const SILENCE = 120_000;
/** Frames named in one filter expression; more would make it slow to read. */
const MOST_NAMED = 400;

export function planFrames({ span, box }: Clip, { width, height, fps }: VideoInfo): FramePlan {
  const whole = { x: 0, y: 0, width, height };
  const region = box ? around(boxIn(box, width, height), whole) : whole;
  if (!span) return { start: 0, region };
  if (span.unit === "seconds") return { start: span.start, end: span.end, region };
  // Half a frame early: a frame's time may have been rounded.
  const second = (frame: number) => Math.max(0, (span.from ?? 0) + (frame - 0.5) / fps);
  return { start: second(span.start), end: second(span.end + 1), region };
}

/** A box with its margin, in whole even pixels (colour is stored for pairs of them). */
function around({ x, y, width, height }: Box, whole: Box): Box {
  const margin = MARGIN * Math.max(width, height);
  const even = (value: number) => 2 * Math.round(value / 2);
  const x0 = Math.max(0, even(x - margin));
  const y0 = Math.max(0, even(y - margin));
  return {
    x: x0,
    y: y0,
    width: Math.min(whole.width - x0, even(x + width + margin) - x0),
    height: Math.min(whole.height - y0, even(y + height + margin) - y0),
  };
}

/**
 * The frames of a clip as plain RGB, one at a time: ffmpeg waits while we work, so memory does not grow with the
 * video. The same file gives the same frames every time, whichever of them are asked for.
 * @throws VideoError with the reason when nothing can be decoded
 */
export async function* decodeFrames(clip: Clip, options: DecodeOptions): AsyncGenerator<VideoFrame> {
  const { ffmpeg, info, fps, only, from = 0 } = options;
  if (info.hdr && !ffmpeg.tonemaps) {
    throw new VideoError("HDR, and this ffmpeg cannot turn it into SDR (it lacks the filters zscale and tonemap)");
  }
  const plan = planFrames(clip, info);
  const { width, height } = plan.region;
  if (!(width >= 16 && height >= 16)) throw new VideoError("the clip's box lies outside the picture");
  const child = startVideoProcess(ffmpeg.ffmpeg, decodeArguments(clip.path, plan, options));
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-4000);
  });
  const closed = new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(-1));
    child.once("close", resolve);
  });
  let [count, silent] = [0, false];
  const onSilence = () => {
    silent = true;
    child.kill("SIGKILL");
  };
  try {
    for await (const data of framesOf(child, width * height * 3, onSilence)) {
      const n = only ? only[count] : from + count;
      count++;
      yield { n, t: plan.start + n / fps, image: { width, height, data } };
    }
    const code = await closed;
    if (silent) throw new VideoError(`ffmpeg gave no sign of life for ${SILENCE / 1000} seconds`);
    // Not the file's fault, so the clip must not end here for good.
    if (child.signalCode) throw new Error(`ffmpeg was ended by ${child.signalCode}; is there enough memory?`);
    if (count === 0 && from === 0 && !only) {
      throw new VideoError(code === 0 ? "it holds no frame in the clip's span" : complaint(stderr));
    }
  } finally {
    if (child.exitCode === null) child.kill("SIGKILL");
    await closed;
  }
}

/** Cuts the pipe's bytes into frames; a last one that is not whole is dropped. Silence counts only while we wait. */
async function* framesOf(child: VideoProcess, size: number, onSilence: () => void): AsyncGenerator<Uint8Array> {
  let frame = new Uint8Array(size);
  let filled = 0;
  let watch = setTimeout(onSilence, SILENCE);
  try {
    for await (const part of child.stdout as AsyncIterable<Buffer>) {
      clearTimeout(watch);
      for (let at = 0; at < part.length; ) {
        const take = Math.min(size - filled, part.length - at);
        frame.set(part.subarray(at, at + take), filled);
        at += take;
        filled += take;
        if (filled < size) continue;
        yield frame;
        frame = new Uint8Array(size);
        filled = 0;
      }
      watch = setTimeout(onSilence, SILENCE);
    }
  } finally {
    clearTimeout(watch);
  }
}

function decodeArguments(path: string, { start, end, region }: FramePlan, options: DecodeOptions): string[] {
  const { info, fps, only, from = 0 } = options;
  const span = [
    ...(start > 0 ? ["-ss", seconds(start)] : []),
    ...(end === undefined ? [] : ["-t", seconds(end - start)]),
  ];
  const { x, y, width, height } = region;
  const whole = width === info.width && height === info.height;
  const filters = [
    `fps=${fps}`,
    ...(only ? [`select='${chosen(only)}'`] : from > 0 ? [`select='gte(n,${from})'`] : []),
    // Frames side by side in time, so that no ffmpeg fills the gaps that `select` made.
    `setpts=N/${fps}/TB`,
    ...(info.hdr ? [TONEMAP] : []),
    ...(info.turn ? [UPRIGHTING[info.turn]] : []),
    `scale=${info.width}:${info.height}`, // square pixels; also holds the size where a stream changes its own
    ...(whole ? [] : [`crop=${width}:${height}:${x}:${y}:exact=1`]),
  ];
  return [
    ...["-nostdin", "-v", "error", ...LOCAL_ONLY, "-threads", "1"],
    // Where a stream changes its size ffmpeg would make its filters anew: they would count from zero and lose frames.
    ...["-reinit_filter", "0"],
    ...[...span, "-i", `file:${path}`, "-map", `0:${info.stream}`, "-an", "-sn", "-dn"],
    ...["-vf", filters.join(","), "-r", String(fps)],
    ...["-f", "rawvideo", "-pix_fmt", "rgb24", "-sws_flags", "bicubic+accurate_rnd+full_chroma_int", "pipe:1"],
  ];
}

const TONEMAP =
  "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv420p";

const seconds = (value: number) => value.toFixed(6);

/** A filter expression that is true for these frame numbers. */
function chosen(frames: readonly number[]): string {
  if (frames.length > MOST_NAMED)
    throw new Error(`${frames.length} frames at once; at most ${MOST_NAMED} can be named`);
  return frames.map((n) => `eq(n,${n})`).join("+");
}
