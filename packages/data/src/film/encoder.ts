import { spawn } from "node:child_process";
import { once } from "node:events";
import type { RgbImage } from "@omni-id/face/analysis";
import type { Film } from "./film.ts";

/** x264 behind a pipe; single-threaded and bit-exact, so that a film is the same file every time. */
export function startEncoder(ffmpeg: string, { height, fps, crf }: Film, file: string) {
  const args = [
    ...["-v", "error", "-y"],
    ...["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", `${2 * height}x${height}`, "-r", String(fps), "-i", "pipe:0"],
    ...["-c:v", "libx264", "-preset", "veryfast", "-crf", String(crf), "-pix_fmt", "yuv420p", "-threads", "1"],
    ...["-fflags", "+bitexact", "-flags:v", "+bitexact", "-f", "mp4", file],
  ];
  const child = spawn(ffmpeg, args, { stdio: ["pipe", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (part: Buffer) => {
    stderr = (stderr + part.toString()).slice(-2000);
  });
  child.stdin.on("error", () => {}); // told by the exit code
  const closed = new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(-1));
    child.once("close", resolve);
  });
  return {
    write: async ({ data }: RgbImage) => {
      if (!child.stdin.write(data)) await Promise.race([once(child.stdin, "drain").catch(() => closed), closed]);
    },
    end: async () => {
      child.stdin.end();
      if ((await closed) !== 0)
        throw new Error(`${ffmpeg} could not write ${file}: ${stderr.trim() || "no reason given"}`);
    },
    kill: () => void child.kill("SIGKILL"),
  };
}
