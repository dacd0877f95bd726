import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RgbImage } from "@omni-id/face/analysis";
import { drawPerson } from "../synth/person.ts";
import { Portrait, type SyntheticImage } from "../synth/render.ts";
import { startEncoder } from "./encoder.ts";
import { type Actor, type FaceTruth, type Film, type FilmTruth, personOf, type Shot } from "./film.ts";
import { Performance } from "./motion.ts";

/** A camera's shutter is open for this share of a frame. */
const SHUTTER = 0.5;

export interface ShootOptions {
  /** Folder of `{name}.mp4` and `{name}.truth.json`. */
  out: string;
  /** Path of ffmpeg. */
  ffmpeg: string;
  onFrame?: (done: number, total: number) => void;
}

/** Renders a film and its truth. Both appear by rename; the same film gives the same frames. @returns the truth */
export async function shootFilm(film: Film, { out, ffmpeg, onFrame }: ShootOptions): Promise<FilmTruth> {
  mkdirSync(out, { recursive: true });
  const { height, fps, name } = film;
  const truth: FilmTruth = { film, width: 2 * height, frames: [] };
  const file = join(out, `${name}.mp4`);
  const encoder = startEncoder(ffmpeg, film, `${file}.tmp`);
  const total = film.shots.reduce((sum, { seconds }) => sum + Math.round(seconds * fps), 0);
  try {
    for (const [number, shot] of film.shots.entries()) {
      const set = await prepare(shot, number, height);
      for (let i = 0; i < Math.round(shot.seconds * fps); i++) {
        const { image, faces } = shootFrame(set, i, fps, height);
        truth.frames.push({ t: truth.frames.length / fps, shot: number, faces });
        await encoder.write(image);
        onFrame?.(truth.frames.length, total);
      }
    }
    await encoder.end();
  } catch (error) {
    encoder.kill();
    rmSync(`${file}.tmp`, { force: true });
    throw error;
  }
  renameSync(`${file}.tmp`, file);
  writeFileSync(join(out, `${name}.truth.json.tmp`), JSON.stringify(truth));
  renameSync(join(out, `${name}.truth.json.tmp`), join(out, `${name}.truth.json`));
  return truth;
}

interface OnSet {
  actor: Actor;
  portrait: Portrait;
  performance: Performance;
  /** Left edge of the actor's square, pixels. */
  left: number;
  /** Nose tip of the frame before. */
  nose?: [number, number];
}

async function prepare({ actors, seconds }: Shot, number: number, height: number): Promise<OnSet[]> {
  const set: OnSet[] = [];
  for (const [i, actor] of actors.entries()) {
    const person = drawPerson(actor.seed, actor.identity);
    set.push({
      actor,
      portrait: await Portrait.create(person, { size: height }),
      performance: new Performance(person, actor, number, seconds),
      left: actors.length === 1 ? height / 2 : i * height,
    });
  }
  return set;
}

function shootFrame(set: OnSet[], i: number, fps: number, height: number): { image: RgbImage; faces: FaceTruth[] } {
  const image = { width: 2 * height, height, data: new Uint8Array(2 * height * height * 3) };
  const faces: FaceTruth[] = [];
  for (const one of set) {
    const made = one.portrait.render(one.performance.viewAt(i / fps, i), height);
    const nose: [number, number] = [made.landmarks[60], made.landmarks[61]];
    const speed = one.nose ? [nose[0] - one.nose[0], nose[1] - one.nose[1]] : [0, 0];
    one.nose = nose;
    const blur = SHUTTER * Math.hypot(speed[0], speed[1]);
    paste(image, blur > 1.5 ? smear(made.image, speed, blur) : made.image, one.left);
    faces.push(truthOf(one, made, blur > 1.5 ? blur : 0));
  }
  return { image, faces };
}

function truthOf(
  { actor, left }: OnSet,
  { landmarks, pose, expression, image }: SyntheticImage,
  blur: number,
): FaceTruth {
  let inside = 0;
  for (let i = 0; i < 136; i += 2) {
    inside += Number(
      landmarks[i] >= 0 && landmarks[i] < image.width && landmarks[i + 1] >= 0 && landmarks[i + 1] < image.height,
    );
  }
  const round = (value: number) => Math.round(value * 100) / 100;
  return {
    person: personOf(actor),
    landmarks: Array.from(landmarks, (value, i) => round(value + (i % 2 === 0 ? left : 0))),
    pose: { yaw: round(pose.yaw), pitch: round(pose.pitch), roll: round(pose.roll) },
    expression,
    blur: round(blur),
    visible: round(inside / 68),
  };
}

function paste(image: RgbImage, { width, height, data }: RgbImage, left: number): void {
  for (let y = 0; y < height; y++)
    image.data.set(data.subarray(y * width * 3, (y + 1) * width * 3), (y * image.width + left) * 3);
}

/** The mean of pictures moved along a line: what an open shutter sees of a moving head. */
function smear({ width, height, data }: RgbImage, [dx, dy]: readonly number[], length: number): RgbImage {
  const steps = Math.ceil(length) + 1;
  const norm = Math.hypot(dx, dy);
  const offsets = Array.from({ length: steps }, (_, i) => {
    const along = (i / (steps - 1) - 0.5) * length;
    return [Math.round((dx / norm) * along), Math.round((dy / norm) * along)];
  });
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (const [ox, oy] of offsets) {
          const u = Math.max(0, Math.min(width - 1, x + ox));
          const v = Math.max(0, Math.min(height - 1, y + oy));
          sum += data[(v * width + u) * 3 + c];
        }
        out[(y * width + x) * 3 + c] = sum / steps + 0.5;
      }
    }
  }
  return { width, height, data: out };
}
