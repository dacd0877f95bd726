import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { complaint, type Ffmpeg, LOCAL_ONLY, VideoError } from "./ffmpeg.ts";
import type { Turn } from "./turn.ts";

/** What a file's header says of its video; upright and with square pixels. */
export interface VideoInfo {
  /** Number of the stream. */
  stream: number;
  width: number;
  height: number;
  /** Mean frames a second. */
  fps: number;
  /** Seconds that the header claims. */
  seconds?: number;
  hdr: boolean;
  /** How its pictures lie, against what the header says; width and height are those of the upright picture. */
  turn?: Turn;
}

/** No camera is larger; a header that claims more lies. */
const MOST_SIDE = 16384;

interface ProbedStream {
  index: number;
  codec_type?: string;
  codec_name?: string;
  width?: number;
  height?: number;
  avg_frame_rate?: string;
  r_frame_rate?: string;
  sample_aspect_ratio?: string;
  duration?: string;
  start_time?: string;
  color_transfer?: string;
  disposition?: { attached_pic?: number };
  side_data_list?: { rotation?: number | string }[];
  tags?: { rotate?: string };
}

/** Reads a file's header. @throws VideoError with the reason why the file is of no use */
export function probeVideo({ ffprobe }: Ffmpeg, path: string): VideoInfo {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw new VideoError("no such file");
  if (!stat.isFile()) throw new VideoError("not a file");
  if (stat.size === 0) throw new VideoError("the file is empty");
  const args = ["-v", "error", ...LOCAL_ONLY, "-print_format", "json", "-show_streams", "-show_format", `file:${path}`];
  const { status, stdout, stderr } = spawnSync(ffprobe, args, { encoding: "utf8", timeout: 60_000 });
  if (status !== 0) throw new VideoError(`not a video that ffmpeg can read: ${complaint(stderr ?? "")}`);
  const { streams = [], format = {} } = JSON.parse(stdout) as {
    streams?: ProbedStream[];
    format?: { duration?: string; format_name?: string };
  };
  if (/^(image2|.*_pipe|gif)$/.test(format.format_name ?? "")) throw new VideoError("a picture, not a video");
  const video = streams.find((one) => one.codec_type === "video" && !one.disposition?.attached_pic);
  if (!video) throw new VideoError(streams.length > 0 ? "it has no video, only sound" : "it has no video");
  return describe(video, format.duration);
}

function describe(video: ProbedStream, duration?: string): VideoInfo {
  const { width = 0, height = 0 } = video;
  if (!(width > 0 && height > 0)) throw new VideoError("its header names no picture size");
  if (Math.max(width, height) > MOST_SIDE) {
    throw new VideoError(`its header claims ${width}×${height} pixels, more than ${MOST_SIDE} a side`);
  }
  const [x, y] = (video.sample_aspect_ratio ?? "1:1").split(":").map(Number);
  const wide = x > 0 && y > 0 ? Math.round((width * x) / y) : width;
  const rotation = Number(
    video.side_data_list?.find((data) => data.rotation !== undefined)?.rotation ?? video.tags?.rotate,
  );
  const turned = Math.abs(Math.round(rotation / 90)) % 2 === 1;
  // Containers that name no duration of the stream count their own from zero, wherever it starts.
  const seconds =
    video.duration === undefined ? Number(duration) - (Number(video.start_time) || 0) : Number(video.duration);
  return {
    stream: video.index,
    width: turned ? height : wide,
    height: turned ? wide : height,
    fps: rate(video.avg_frame_rate) || rate(video.r_frame_rate) || 25,
    ...(seconds > 0 && { seconds }),
    hdr: video.color_transfer === "smpte2084" || video.color_transfer === "arib-std-b67",
  };
}

function rate(text = "0/0"): number {
  const [count, seconds = 1] = text.split("/").map(Number);
  const value = count / seconds;
  return Number.isFinite(value) ? value : 0;
}
