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
import { WorkerPool } from "../worker-pool.ts";
import { assembleShards, outcomes } from "./assemble.ts";
import type { ClipProgress } from "./observe-clip.ts";
import { type Part, planVideos, type VideoJob } from "./plan.ts";
import { type Recipe, recipeHash, recipeOf, takeFolder } from "./recipe.ts";
import { removedVideos } from "./removed.ts";
import { writeReport } from "./report.ts";
import type { CommonJob, SourceAnswer } from "./serve.ts";
import { lockFolder } from "./set-lock.ts";
import type { SetSettings } from "./settings.ts";
import type { SourceClips } from "./sources/source.ts";
import { type SetSummary, summarise } from "./summary.ts";
import { type SetProgress, Tally } from "./tally.ts";

/** What making a set takes, whatever it is made of. */
export interface MakeSetOptions {
  /** Folder of the set. */
  out: string;
  part?: Part;
  /** Worker threads. */
  workers?: number;
  /** ONNX file of a face-quality model. */
  quality?: string;
  onProgress?: (progress: SetProgress) => void;
  /** Aborted: stops at once; what is journalled is not lost. */
  signal?: AbortSignal;
}

/** A kind of source as the main thread sees it. */
export interface SetSources {
  kind?: Recipe["kind"];
  settings: SetSettings;
  found: SourceClips;
  /** What to tell where nothing was found. */
  nothing: () => string;
  /** The worker's compiled file. */
  worker: URL;
  /** What jobs carry for it. */
  carry: object;
  /** Sources are done within seconds: what is begun is ended when the run is stopped, for threads die hard. */
  brief?: boolean;
  /** See `VideoJob.files`. */
  filesOf?: (job: VideoJob) => string;
}

export interface SetResult {
  /** False where it was stopped before the end. */
  finished: boolean;
  summary: SetSummary;
  missing: string[];
  malformed: { where: string; what: string }[];
  /** Sources whose curation ended with an error; the next run tries them again. */
  failed: { video: string; why: string }[];
  /** Seconds that this run's workers spent, by stage. */
  clock: Record<string, number>;
  frames: number;
  report: string;
}

/**
 * Gives every source to a worker (`curateSource`), then writes the shards, the split, `curation.json` and
 * `report.html`. It can be killed anywhere; the same call goes on and ends in the same bytes.
 * @throws when nothing was found, models are missing, or the folder was begun by another recipe
 */
export async function makeSet(options: MakeSetOptions, sources: SetSources): Promise<SetResult> {
  const { out, part, signal, quality, workers = availableParallelism() } = options;
  const { kind, settings, found, worker, carry, brief, filesOf } = sources;
  for (const model of [detectorModel, landmarkModel, poseModel, recogniserModel]) modelFile(model);
  const net = quality ? await QualityNet.load(quality) : undefined;
  const unlock = lockFolder(out);
  try {
    const recipe = recipeOf(settings, net?.hash, kind);
    takeFolder(out, recipe);
    const removed = removedVideos(out);
    const clips = found.clips.filter(({ video }) => !removed.has(video));
    if (clips.length === 0 && found.clips.length === 0) throw new Error(sources.nothing());
    const jobs = planVideos(clips, { seed: settings.seed, part }).map((job) =>
      filesOf ? { ...job, files: filesOf(job) } : job,
    );
    const tally = new Tally(jobs.length, options.onProgress);
    const pool = new WorkerPool<VideoJob & CommonJob, SourceAnswer, ClipProgress>(
      worker,
      Math.min(workers, Math.max(1, jobs.length)),
    );
    const stop = () => void (brief || pool.close());
    signal?.addEventListener("abort", stop);
    try {
      const common = { ...carry, out, recipe: recipeHash(recipe), settings, quality };
      await Promise.all(
        jobs.map(async (job) => {
          try {
            const { clock, ...result } = await pool.run(
              { ...job, ...common },
              { onProgress: (step) => tally.step(job.video, step), signal },
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
