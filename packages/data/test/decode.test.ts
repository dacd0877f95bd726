import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Clip } from "../src/curate/clip.ts";
import { type DecodeOptions, decodeFrames, planFrames, type VideoFrame } from "../src/curate/video/decode.ts";
import { findFfmpeg } from "../src/curate/video/ffmpeg.ts";
import { probeVideo } from "../src/curate/video/probe.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-decode-"));
afterAll(() => rmSync(root, { recursive: true }));
const ffmpeg = findFfmpeg();
const at = (name: string) => join(root, name);
const make = (name: string, ...args: string[]) =>
  execFileSync(ffmpeg.ffmpeg, ["-v", "error", "-y", ...args, at(name)], { stdio: ["ignore", "ignore", "inherit"] });

/** Grey frames, each 4 levels brighter than the one before: a frame tells its own number. */
const COUNTED = "nullsrc=s=64x48:r=20:d=2,geq=lum='16+4*N':cb=128:cr=128";
const source = (graph: string) => ["-f", "lavfi", "-i", graph];
const x264 = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "10", "-pix_fmt", "yuv420p"];

beforeAll(() => {
  make("counted.mp4", ...source(COUNTED), ...x264);
});

const clipOf = (name: string, more: Partial<Clip> = {}): Clip => ({
  video: name,
  name: "whole",
  path: at(name),
  ...more,
});

async function frames(clip: Clip, more: Partial<DecodeOptions> = {}): Promise<VideoFrame[]> {
  const info = probeVideo(ffmpeg, clip.path);
  const all: VideoFrame[] = [];
  for await (const frame of decodeFrames(clip, { ffmpeg, info, fps: 5, ...more })) all.push(frame);
  return all;
}
/** Which frame of the counted video a picture is. */
const numberOf = ({ image: { width, height, data } }: VideoFrame) => {
  const middle = data[(Math.floor(height / 2) * width + Math.floor(width / 2)) * 3];
  return Math.round((middle * 219) / 255 / 4);
};

describe("decodeFrames", () => {
  test("takes frames at the chosen rate, with their times, upright and in RGB", async () => {
    const taken = await frames(clipOf("counted.mp4"));
    expect(taken.map(({ n }) => n)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(taken.map(({ t }) => t)).toEqual(
      [0, 0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6, 1.8].map((t) => expect.closeTo(t, 6)),
    );
    for (const [i, frame] of taken.entries()) expect(Math.abs(numberOf(frame) - 4 * i)).toBeLessThanOrEqual(2);
    expect(taken[0].image.data).toHaveLength(64 * 48 * 3);
  });

  test("chosen frames and a later start give the very frames of the whole run", async () => {
    const all = await frames(clipOf("counted.mp4"));
    const some = await frames(clipOf("counted.mp4"), { only: [1, 4, 8] });
    expect(some.map(({ n }) => n)).toEqual([1, 4, 8]);
    expect(some).toEqual([1, 4, 8].map((n) => all[n]));
    expect(await frames(clipOf("counted.mp4"), { from: 6 })).toEqual(all.slice(6));
    expect(await frames(clipOf("counted.mp4"), { from: 50 })).toEqual([]);
  });

  test("a span in seconds, and one in frames", async () => {
    const seconds = await frames(clipOf("counted.mp4", { span: { unit: "seconds", start: 0.5, end: 1.5 } }));
    expect(seconds.map(numberOf)).toEqual([10, 14, 18, 22, 26].map((n) => expect.closeTo(n, -0.7)));
    expect(seconds[0].t).toBeCloseTo(0.5);
    const counted = await frames(clipOf("counted.mp4", { span: { unit: "frames", start: 20, end: 27 } }), { fps: 20 });
    expect(counted.map(numberOf)).toEqual([20, 21, 22, 23, 24, 25, 26, 27]);
    await expect(frames(clipOf("counted.mp4", { span: { unit: "seconds", start: 50, end: 60 } }))).rejects.toThrow(
      /no frame in the clip's span/,
    );
  });

  test("a box is decoded with a margin around it, alone", async () => {
    make("corners.mp4", ...source("color=red:s=64x64:r=5:d=1,drawbox=x=32:y=0:w=32:h=64:color=lime:t=fill"), ...x264);
    const clip = clipOf("corners.mp4", { box: { unit: "share", left: 0.6, top: 0, right: 1, bottom: 0.4 } });
    const info = probeVideo(ffmpeg, clip.path);
    const { region } = planFrames(clip, info);
    expect(region).toEqual({ x: 30, y: 0, width: 34, height: 34 });
    const [{ image }] = await frames(clip);
    expect([image.width, image.height]).toEqual([34, 34]);
    const green = (x: number) => image.data[(10 * image.width + x) * 3 + 1];
    expect(green(20)).toBeGreaterThan(200);
    await expect(
      frames(clipOf("corners.mp4", { box: { unit: "pixels", left: 400, top: 0, right: 500, bottom: 50 } })),
    ).rejects.toThrow(/box lies outside/);
  });

  test("memory is bounded by the reader: a decoder waits, and ends when the reader goes away", async () => {
    let seen = 0;
    const info = probeVideo(ffmpeg, at("counted.mp4"));
    for await (const _ of decodeFrames(clipOf("counted.mp4"), { ffmpeg, info, fps: 20 })) if (++seen === 3) break;
    expect(seen).toBe(3);
  });
});

describe("videos of all sorts", () => {
  test("variable frame rate: frames come by their times", async () => {
    // Every frame of the second second is missing but its last.
    make("vfr.mp4", ...source(COUNTED), "-vf", "select='lt(n,20)+eq(n,39)'", "-fps_mode", "vfr", ...x264);
    const taken = await frames(clipOf("vfr.mp4"));
    expect(taken.slice(0, 5).map(numberOf)).toEqual([0, 4, 8, 12, 16].map((n) => expect.closeTo(n, -0.7)));
    expect(taken).toHaveLength(10);
    expect(numberOf(taken[7])).toBe(19); // the gap shows what stood still
  });

  test("rotation metadata turns the picture upright", async () => {
    make("flat.mp4", ...source("color=black:s=64x32:r=5:d=1,drawbox=x=0:y=0:w=16:h=32:color=white:t=fill"), ...x264);
    // The track header's matrix: a quarter turn clockwise. How ffmpeg is told to write one changed with its versions.
    const bytes = readFileSync(at("flat.mp4"));
    const matrix = bytes.indexOf("tkhd") + 44;
    for (const [i, value] of [0, 0x10000, 0, -0x10000, 0, 0, 32 * 0x10000, 0, 0x40000000].entries()) {
      bytes.writeInt32BE(value, matrix + 4 * i);
    }
    writeFileSync(at("turned.mp4"), bytes);
    const info = probeVideo(ffmpeg, at("turned.mp4"));
    expect([info.width, info.height]).toEqual([32, 64]);
    const [{ image }] = await frames(clipOf("turned.mp4"));
    const bright = (y: number) => image.data[(y * 32 + 16) * 3] > 128;
    expect([bright(4), bright(60)]).toEqual([true, false]);
  });

  test("pixels that are not square are made so", async () => {
    make("anamorphic.mp4", ...source("color=gray:s=64x48:r=5:d=1,setsar=2/1"), ...x264);
    const [{ image }] = await frames(clipOf("anamorphic.mp4"));
    expect([image.width, image.height]).toEqual([128, 48]);
  });

  test("ten bits", async () => {
    make(
      "ten.mp4",
      ...source("color=0x808080:s=64x48:r=5:d=1"),
      "-c:v",
      "libx264",
      "-pix_fmt",
      "yuv420p10le",
      "-crf",
      "5",
    );
    const [{ image }] = await frames(clipOf("ten.mp4"));
    expect(Math.abs(image.data[0] - 128)).toBeLessThan(4);
  });

  test("HDR is tone-mapped where ffmpeg can, else refused with the reason", async () => {
    // ffmpeg 7 writes the frames' own properties, and nothing of `-color_trc`.
    const hdr = "format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc";
    make("hdr.mp4", ...source("color=0xC0C0C0:s=64x48:r=5:d=1"), "-vf", hdr, "-c:v", "libx264");
    expect(probeVideo(ffmpeg, at("hdr.mp4")).hdr).toBe(true);
    const refused = frames(clipOf("hdr.mp4"), { ffmpeg: { ...ffmpeg, tonemaps: false } });
    await expect(refused).rejects.toThrow(/HDR, and this ffmpeg cannot/);
    if (ffmpeg.tonemaps) {
      const [{ image }] = await frames(clipOf("hdr.mp4"));
      expect(image.data[0]).toBeGreaterThan(150); // 0.75 of PQ is very bright
      expect(new Set(image.data).size).toBeLessThan(6);
    }
  });

  test("a stream that changes its size keeps the size of the header", async () => {
    const counted = (size: string) => source(`nullsrc=s=${size}:r=5:d=1,geq=lum='16+4*N':cb=128:cr=128`);
    make("small.ts", ...counted("64x48"), ...x264);
    make("large.ts", ...counted("128x96"), ...x264);
    writeFileSync(at("changing.ts"), Buffer.concat([readFileSync(at("small.ts")), readFileSync(at("large.ts"))]));
    const taken = await frames(clipOf("changing.ts"));
    expect(taken.map(numberOf)).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    expect(new Set(taken.map(({ image }) => `${image.width}×${image.height}`))).toEqual(new Set(["64×48"]));
    const some = await frames(clipOf("changing.ts"), { only: [1, 3, 6] });
    expect(some.map(numberOf)).toEqual([1, 3, 1]);
    expect((await frames(clipOf("changing.ts"), { from: 4 })).map(numberOf)).toEqual([4, 0, 1, 2, 3, 4]);
  });

  test("a file that is cut off gives what there is; without its index it is refused", async () => {
    make("long.mkv", ...source("testsrc2=s=128x96:r=20:d=2"), ...x264);
    truncateSync(at("long.mkv"), Math.floor(readFileSync(at("long.mkv")).length / 2));
    const taken = await frames(clipOf("long.mkv"));
    expect(taken.length).toBeGreaterThan(0);
    expect(taken.length).toBeLessThan(10);
    truncateSync(at("long.mkv"), 700);
    await expect(frames(clipOf("long.mkv"))).rejects.toThrow();
    const whole = readFileSync(at("counted.mp4"));
    writeFileSync(at("headless.mp4"), whole.subarray(0, whole.lastIndexOf("moov") - 20));
    expect(() => probeVideo(ffmpeg, at("headless.mp4"))).toThrow(/cut off, or no MP4 at all: its index is missing/);
  });

  test("what is no video is refused with the reason", async () => {
    make("sound.m4a", ...source("sine=d=1"));
    make("picture.png", ...source("color=gray:s=64x48:d=1"), "-frames:v", "1");
    make(
      "cover.mp3",
      ...source("sine=d=1"),
      "-i",
      at("picture.png"),
      "-map",
      "0",
      "-map",
      "1",
      "-disposition:v",
      "attached_pic",
    );
    writeFileSync(at("empty.mp4"), "");
    writeFileSync(at("text.mp4"), "not a video at all\n".repeat(100));
    const why = (name: string) => {
      try {
        probeVideo(ffmpeg, at(name));
        return "fine";
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(why("sound.m4a")).toBe("it has no video, only sound");
    expect(why("cover.mp3")).toBe("it has no video, only sound");
    expect(why("picture.png")).toBe("a picture, not a video");
    expect(why("empty.mp4")).toBe("the file is empty");
    expect(why("text.mp4")).toMatch(/not a video that ffmpeg can read/);
    expect(why("none.mp4")).toBe("no such file");
    expect(why("")).toBe("not a file");
  });

  test("a header that claims another length, or a monstrous size, is not believed", async () => {
    const bytes = readFileSync(at("counted.mp4"));
    // The track header ends in width and height, 16.16 fixed point; the sample description repeats them in 16 bits.
    const huge = Buffer.from(bytes);
    const entry = huge.indexOf("avc1", huge.indexOf("stsd")) + 28;
    huge.writeUInt16BE(60000, entry);
    huge.writeUInt16BE(60000, entry + 2);
    writeFileSync(at("huge.mp4"), huge);
    const told = await frames(clipOf("huge.mp4")).then(
      (taken) => taken.map(({ image }) => image.width),
      (error: Error) => error.message,
    );
    // ffmpeg asks the stream itself, or believes the header, which is then refused.
    if (typeof told === "string") expect(told).toMatch(/claims 60000×60000/);
    else expect(new Set(told)).toEqual(new Set([64]));
  });

  test("a playlist does not open the network", () => {
    writeFileSync(
      at("list.m3u8"),
      "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    );
    expect(() => probeVideo(ffmpeg, at("list.m3u8"))).toThrow(/not a video that ffmpeg can read/);
  });
});

test("a decoder that somebody kills is no short video", async () => {
  // Stands in for ffmpeg: one frame, then a shot in its own head.
  writeFileSync(at("killed"), `#!/bin/sh\nhead -c ${64 * 48 * 3} /dev/zero\nkill -9 $$\n`, { mode: 0o755 });
  const clip = clipOf("counted.mp4");
  const killed = { ffmpeg: { ...ffmpeg, ffmpeg: at("killed") }, info: probeVideo(ffmpeg, clip.path), fps: 5 };
  const read = async () => {
    for await (const _ of decodeFrames(clip, killed));
  };
  await expect(read()).rejects.toThrow(/ffmpeg was ended by SIGKILL/);
});

describe("findFfmpeg", () => {
  test("says what to do where there is none", () => {
    expect(() => findFfmpeg("/nowhere/ffmpeg")).toThrow(/ffmpeg is not at \/nowhere\/ffmpeg; install it .*FFMPEG_PATH/);
  });
});
