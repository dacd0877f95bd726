import { parentPort } from "node:worker_threads";
import type { WorkerMessage } from "../worker-pool.ts";
import type { Film } from "./film.ts";
import { shootFilm } from "./shoot.ts";

export interface FilmJob {
  film: Film;
  out: string;
  ffmpeg: string;
}

/** Shoots one film a message. */
parentPort?.on("message", async ({ film, ...options }: FilmJob) => {
  const post = (message: WorkerMessage<number, number>) => parentPort?.postMessage(message);
  try {
    const { frames } = await shootFilm(film, { ...options, onFrame: () => post({ progress: 1 }) });
    post({ answer: frames.length });
  } catch (error) {
    post({ error: (error as Error).message });
  }
});
