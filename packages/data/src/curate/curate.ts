import { availableParallelism } from "node:os";
import { join } from "node:path";
import {
  detectorModel,
  landmarkModel,
  modelFile,
  poseModel,
  QualityNet,
  recogniserModel,
} from "@omni-id/face/analysis";
import { writeFileAtomically } from "../atomic-file.ts";
import { compiledWorker, WorkerPool } from "../worker-pool.ts";
import { assembleShards, outcomes } from "./assemble.ts";
import type { VideoResult } from "./curate-video.ts";
import type { ClipProgress } from "./observe-clip.ts";
import { type Part, planVideos } from "./plan.ts";
import { recipeHash, recipeOf, takeFolder } from "./recipe.ts";
import { removedVideos } from "./removed.ts";
import { writeReport } from "./report.ts";
import { lockFolder } from "./set-lock.ts";
import type { CurateSettings } from "./settings.ts";
import { readSources, type SourceOptions } from "./sources/read.ts";
import { type SetSummary, summarise } from "./summary.ts";
import { findFfmpeg } from "./video/ffmpeg.ts";
import type { CurateJob } from "./worker.ts";

export interface CurateOptions {
  sources: SourceOptions;
  /** Folder of the set. */
  out: string;
  settings: CurateSettings;
  part?: Part;
  /** Worker threads. */
  workers?: number;
  /** Path of ffmpeg. */
  ffmpeg?: string;
  /** ONNX file of a face-quality model. */
  quality?: string;
  onProgress?: (progress: CurateProgress) => void;
  /** Aborted: stops at once; what is journalled is not lost. */
  signal?: AbortSignal;
}

export interface CurateProgress {
  videos: { done: number; total: number };
  /** Share of the work that is done, 0…1. */
  share: number;
  /** Frames that this run looked at. */
  frames: number;
  framesPerSecond: number;
  people: number;
  pictures: number;
  /** As the share and the time so far tell; nothing before they tell anything. */
  secondsLeft?: number;
}

export interface CurateResult {
  /** False where it was stopped before the end. */
  finished: boolean;
  summary: SetSummary;
  missing: string[];
  malformed: { where: string; what: string }[];
  /** Videos whose curation ended with an error; the next run tries them again. */
  failed: { video: string; why: string }[];
  /** Seconds that this run's workers spent, by stage. */
  clock: Record<string, number>;
  frames: number;
  report: string;
}

/**
 * From videos to a set of identities × images: the paper's 3.4. Every video is curated by itself (`curateVideo`), then
 * the shards, the split, `curation.json` and `report.html` are written. It can be killed anywhere; the same call goes
 * on and ends in the same bytes.
 * @throws when there are no clips, ffmpeg or models are missing, or the folder was begun by another recipe
 */
export async function curate(options: CurateOptions): Promise<CurateResult> {
  const { out, settings, part, signal, workers = availableParallelism() } = options;
  const ffmpeg = findFfmpeg(options.ffmpeg);
  for (const model of [detectorModel, landmarkModel, poseModel, recogniserModel]) modelFile(model);
  const net = options.quality ? await QualityNet.load(options.quality) : undefined;
  const found = readSources(options.sources);
  const unlock = lockFolder(out);
  try {
    const recipe = recipeOf(settings, net?.hash);
    takeFolder(out, recipe);
    const removed = removedVideos(out);
    const clips = found.clips.filter(({ video }) => !removed.has(video));
    if (clips.length === 0 && found.clips.length === 0) throw new Error(nothingFound(options.sources, found));
    const jobs = planVideos(clips, { seed: settings.seed, part });
    const tally = new Tally(jobs.length, options.onProgress);
    const pool = new WorkerPool<CurateJob, VideoResult & { clock: Record<string, number> }, ClipProgress>(
      compiledWorker(import.meta.url, "worker.js"),
      Math.min(workers, Math.max(1, jobs.length)),
    );
    const stop = () => void pool.close();
    signal?.addEventListener("abort", stop);
    try {
      const common = { out, recipe: recipeHash(recipe), settings, ffmpeg, quality: options.quality };
      await Promise.all(
        jobs.map(async (job) => {
          try {
            const { clock, ...result } = await pool.run(
              { ...job, ...common },
              { onProgress: (step) => tally.step(job.video, step) },
            );
            tally.done(job.video, result, clock);
          } catch (error) {
            if (!signal?.aborted) tally.failed(job.video, (error as Error).message);
          }
        }),
      );
    } finally {
      signal?.removeEventListener("abort", stop);
      await pool.close();
    }
    const finished = !signal?.aborted;
    if (finished) await assembleShards(out, settings, { split: !part });
    const summary = summarise(outcomes(out));
    const source = { missing: found.missing, malformed: found.malformed };
    if (finished)
      writeFileAtomically(
        join(out, "curation.json"),
        `${JSON.stringify({ ...recipe, ...source, summary }, null, 2)}\n`,
      );
    const report = finished ? await writeReport(out) : join(out, "report.html");
    return { finished, summary, ...source, failed: tally.failures, clock: tally.clock, frames: tally.frames, report };
  } finally {
    unlock();
  }
}

function nothingFound({ videos }: SourceOptions, { missing, malformed }: ReturnType<typeof readSources>): string {
  const where = videos.join(", ");
  if (malformed.length > 0)
    return `${where}: no clip could be read; the first trouble: ${malformed[0].where}: ${malformed[0].what}`;
  if (missing.length > 0)
    return `${where}: none of the ${missing.length} videos that are named is there, such as ${missing[0]}`;
  return `${where}: no videos here`;
}

/** Counts what workers tell. */
class Tally {
  frames = 0;
  readonly clock: Record<string, number> = {};
  readonly failures: { video: string; why: string }[] = [];
  readonly #total: number;
  readonly #onProgress?: (progress: CurateProgress) => void;
  readonly #began = performance.now();
  /** Share done of each video in work. */
  readonly #open = new Map<string, number>();
  #done = 0;
  /** Videos that were finished before this run tell nothing about its speed. */
  #skipped = 0;
  #people = 0;
  #pictures = 0;

  constructor(total: number, onProgress?: (progress: CurateProgress) => void) {
    this.#total = total;
    this.#onProgress = onProgress;
  }

  step(video: string, { frames, share }: ClipProgress): void {
    this.frames += frames;
    this.#open.set(video, share);
    this.#tell();
  }

  done(video: string, { people, pictures }: VideoResult, clock: Record<string, number>): void {
    if (!this.#open.has(video)) this.#skipped++;
    this.#people += people;
    this.#pictures += pictures;
    for (const [stage, seconds] of Object.entries(clock)) this.clock[stage] = (this.clock[stage] ?? 0) + seconds;
    this.#close(video);
  }

  failed(video: string, why: string): void {
    this.failures.push({ video, why });
    this.#close(video);
  }

  #close(video: string): void {
    this.#open.delete(video);
    this.#done++;
    this.#tell();
  }

  #tell(): void {
    const seconds = (performance.now() - this.#began) / 1000;
    const open = [...this.#open.values()].reduce((sum, share) => sum + share, 0);
    const [mine, left] = [this.#done - this.#skipped + open, this.#total - this.#done - open];
    this.#onProgress?.({
      videos: { done: this.#done, total: this.#total },
      share: this.#total > 0 ? (this.#done + open) / this.#total : 1,
      frames: this.frames,
      framesPerSecond: this.frames / Math.max(seconds, 1e-3),
      people: this.#people,
      pictures: this.#pictures,
      secondsLeft: mine > 0 ? (seconds / mine) * left : undefined,
    });
  }
}
