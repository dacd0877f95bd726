import { parentPort } from "node:worker_threads";
import { FaceAnalyser, QualityNet } from "@omni-id/face/analysis";
import type { WorkerMessage } from "../worker-pool.ts";
import { curateVideo, type VideoResult } from "./curate-video.ts";
import type { Observer } from "./observe.ts";
import type { ClipProgress } from "./observe-clip.ts";
import type { VideoJob } from "./plan.ts";
import type { CurateSettings } from "./settings.ts";
import type { Ffmpeg } from "./video/ffmpeg.ts";

/** A video with all that a worker has to know. */
export interface CurateJob extends VideoJob {
  out: string;
  recipe: string;
  settings: CurateSettings;
  ffmpeg: Ffmpeg;
  /** ONNX file of a face-quality model. */
  quality?: string;
}

export type CurateMessage = WorkerMessage<VideoResult & { clock: Record<string, number> }, ClipProgress>;

let loaded: Promise<Pick<Observer, "analyser" | "rate">> | undefined;

/** One thread each: the workers are as many as the cores, and a network's result never depends on their number. */
async function load(quality?: string): Promise<Pick<Observer, "analyser" | "rate">> {
  const [analyser, net] = await Promise.all([
    FaceAnalyser.load({ threads: 1 }),
    quality ? QualityNet.load(quality, { threads: 1 }) : undefined,
  ]);
  return { analyser, ...(net && { rate: (image, landmarks) => net.rate(image, landmarks) }) };
}

const post = (message: CurateMessage) => parentPort?.postMessage(message);

/** Curates one video a message. */
parentPort?.on("message", async ({ out, recipe, settings, ffmpeg, quality, ...job }: CurateJob) => {
  try {
    loaded ??= load(quality);
    const observer: Observer = { ...(await loaded), settings, clock: {} };
    const onProgress = (progress: ClipProgress) => post({ progress });
    const result = await curateVideo(job, { out, recipe, observer, ffmpeg, onProgress });
    post({ answer: { ...result, clock: observer.clock ?? {} } });
  } catch (error) {
    post({ error: (error as Error).message });
  }
});
