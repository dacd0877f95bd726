import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { compiledWorker, WorkerPool } from "../worker-pool.ts";
import type { Film, FilmTruth } from "./film.ts";
import type { FilmJob } from "./worker.ts";

export interface ShootFilmsOptions {
  out: string;
  ffmpeg: string;
  workers?: number;
  onProgress?: (frames: number, total: number) => void;
}

/** Renders films that are not there yet into `{name}.mp4` and `{name}.truth.json`, and reads the truth of all. */
export async function shootFilms(films: readonly Film[], options: ShootFilmsOptions): Promise<FilmTruth[]> {
  const { out, ffmpeg, workers = availableParallelism(), onProgress } = options;
  const framesOf = ({ shots, fps }: Film) => shots.reduce((sum, { seconds }) => sum + Math.round(seconds * fps), 0);
  const missing = films.filter((film) => !isThere(film, out));
  const total = missing.reduce((sum, film) => sum + framesOf(film), 0);
  if (missing.length > 0) {
    const pool = new WorkerPool<FilmJob, number, number>(
      compiledWorker(import.meta.url, "worker.js"),
      Math.min(workers, missing.length),
    );
    let done = 0;
    try {
      await Promise.all(
        missing.map((film) => pool.run({ film, out, ffmpeg }, { onProgress: () => onProgress?.(++done, total) })),
      );
    } finally {
      await pool.close();
    }
  }
  return films.map((film) => readTruth(out, film.name));
}

/** A film of this very script, with its truth. */
function isThere(film: Film, out: string): boolean {
  if (!existsSync(join(out, `${film.name}.mp4`)) || !existsSync(join(out, `${film.name}.truth.json`))) return false;
  return JSON.stringify(readTruth(out, film.name).film) === JSON.stringify(film);
}

function readTruth(out: string, name: string): FilmTruth {
  return JSON.parse(readFileSync(join(out, `${name}.truth.json`), "utf8")) as FilmTruth;
}
