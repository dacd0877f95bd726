import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import type { Readable } from "node:stream";

/** A video that cannot be used; the message is the reason that is reported. */
export class VideoError extends Error {}

export interface Ffmpeg {
  ffmpeg: string;
  ffprobe: string;
  /** Whether it can turn HDR into SDR. */
  tonemaps: boolean;
}

/**
 * Finds ffmpeg and ffprobe: an option, FFMPEG_PATH, or PATH; ffprobe stands beside ffmpeg.
 * @throws when there is none; the message says how to get it
 */
export function findFfmpeg(option?: string): Ffmpeg {
  const wanted = option ?? process.env.FFMPEG_PATH;
  const ffmpeg = wanted || onPath("ffmpeg");
  if (!ffmpeg || !existsSync(ffmpeg)) {
    throw new Error(
      `ffmpeg ${wanted ? `is not at ${wanted}` : "is not on PATH"}; install it (Debian, Ubuntu: sudo apt-get install -y ffmpeg), or name it with --ffmpeg or FFMPEG_PATH`,
    );
  }
  const beside = join(dirname(ffmpeg), "ffprobe");
  const ffprobe = existsSync(beside) ? beside : onPath("ffprobe");
  if (!ffprobe) throw new Error(`ffprobe is missing beside ${ffmpeg}; it comes with ffmpeg`);
  const { stdout } = spawnSync(ffmpeg, ["-hide_banner", "-filters"], { encoding: "utf8" });
  return { ffmpeg, ffprobe, tonemaps: /\bzscale\b/.test(stdout ?? "") && /\btonemap\b/.test(stdout ?? "") };
}

function onPath(name: string): string | undefined {
  const places = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, name));
  return places.find((path) => existsSync(path));
}

/** Only local files: a playlist in a video's clothes must not open the network. */
export const LOCAL_ONLY = ["-protocol_whitelist", "file,pipe"];

export type VideoProcess = ChildProcessByStdio<null, Readable, Readable>;

/** Starts one of the two with its output on pipes. */
export function startVideoProcess(command: string, args: readonly string[]): VideoProcess {
  return spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
}

/** The last thing that ffmpeg complained of, in a line. */
export function complaint(stderr: string): string {
  const lines = stderr
    .split("\n")
    .map((line) => line.replace(/^\[[^\]]*\]\s*/, "").trim())
    .filter((line) => line !== "" && !/^(Error marking filters as finished|Conversion failed)/.test(line));
  const known = lines.find((line) => /moov atom not found/.test(line));
  if (known) return "cut off, or no MP4 at all: its index is missing (moov atom not found)";
  return lines.at(-1)?.replace(/^file:.*?: /, "") ?? "nothing in it can be decoded";
}
