// Curation of synthetic videos. → one JSON line
// usage: curate.mjs speed          frames a second of the whole pipeline with two workers, and milliseconds by stage
//        curate.mjs memory SECONDS peak memory on one video of that length
//        curate.mjs frames FOLDER  writes frames with their true faces, for the two below to look at
//        curate.mjs faces FOLDER   face analysis of those frames: milliseconds a frame, and how many faces were found
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { curate, curateSettings, drawFilmSet, findFfmpeg, shootFilms } from "@omni-id/data";
import { FaceAnalyser } from "@omni-id/face";

const [mode, argument] = process.argv.slice(2);
const { ffmpeg } = findFfmpeg();
const films = join(tmpdir(), "omni-id-bench-films");
const set = drawFilmSet({ seed: 3, rounds: 1 });
const truths = await shootFilms(set, { out: films, ffmpeg, workers: 2 });
const out = mkdtempSync(join(tmpdir(), "omni-id-bench-"));
const round = (value) => Number(value.toPrecision(3));
const report = { speed, memory, frames, faces }[mode];
if (!report) throw new Error(`no mode "${mode}"`);
try {
  console.log(JSON.stringify(await report()));
} finally {
  rmSync(out, { recursive: true });
}

/** A set, or an error that tells which videos failed. */
async function made(options) {
  const result = await curate(options);
  const [first] = result.failed;
  if (first) throw new Error(`${result.failed.length} videos failed; ${first.video}: ${first.why}`);
  return result;
}

async function speed() {
  const began = performance.now();
  const settings = curateSettings("nano");
  const { clock, frames: looked, summary } = await made({ sources: { videos: [films] }, out, settings, workers: 2 });
  const seconds = (performance.now() - began) / 1000;
  const millisecondsAFrame = Object.fromEntries(
    Object.entries(clock).map(([stage, spent]) => [stage, round((1000 * spent) / looked)]),
  );
  return {
    framesPerSecond: round(looked / seconds),
    videoSecondsPerSecond: round(looked / settings.fps / seconds),
    millisecondsAFrame,
    frames: looked,
    faces: summary.faces,
    identities: summary.identities,
  };
}

async function memory() {
  const long = join(out, "long.mp4");
  const loop = [
    "-v",
    "error",
    "-stream_loop",
    "-1",
    "-i",
    join(films, "interview-0.mp4"),
    "-t",
    argument,
    "-c",
    "copy",
    long,
  ];
  execFileSync(ffmpeg, loop);
  const { frames: looked } = await made({
    sources: { videos: [long] },
    out: join(out, "set"),
    settings: curateSettings("nano"),
    workers: 1,
  });
  return { seconds: Number(argument), frames: looked, peakMB: Math.round(process.resourceUsage().maxRSS / 1024) };
}

/** Every fifth frame of all films as raw RGB, with the places of the faces in it. */
async function frames() {
  mkdirSync(argument, { recursive: true });
  const index = [];
  for (const { film, width, frames: all } of truths) {
    const rgb = execFileSync(
      ffmpeg,
      ["-v", "error", "-i", join(films, `${film.name}.mp4`), "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"],
      { maxBuffer: 1 << 30 },
    );
    const size = width * film.height * 3;
    for (let i = 0; i < all.length; i += 5) {
      const file = `${film.name}-${i}.rgb`;
      writeFileSync(join(argument, file), rgb.subarray(i * size, (i + 1) * size));
      const noses = all[i].faces
        .filter(({ visible }) => visible > 0.95)
        .map(({ landmarks }) => landmarks.slice(60, 62));
      index.push({ file, width, height: film.height, noses });
    }
  }
  writeFileSync(join(argument, "index.json"), JSON.stringify(index));
  return { frames: index.length };
}

/** Boxes, 68 landmarks, head pose, quality and the feature of every face: the peer gives no pose and no quality. */
async function faces() {
  if (!existsSync(join(argument, "index.json"))) throw new Error(`${argument}: run \`curate.mjs frames\` first`);
  const analyser = await FaceAnalyser.load({ threads: 2 });
  const times = [];
  let [there, found] = [0, 0];
  for (const { file, width, height, noses } of JSON.parse(readFileSync(join(argument, "index.json"), "utf8"))) {
    const image = { width, height, data: new Uint8Array(readFileSync(join(argument, file))) };
    const began = performance.now();
    const seen = await analyser.analyse(image, { turns: false });
    times.push(performance.now() - began);
    there += noses.length;
    found += noses.filter(([x, y]) =>
      seen.some(({ box }) => x > box.x && y > box.y && x < box.x + box.width && y < box.y + box.height),
    ).length;
  }
  times.sort((a, b) => a - b);
  return { milliseconds: round(times[times.length >> 1]), recall: round(found / there), faces: there };
}
