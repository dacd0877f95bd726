import { parentPort } from "node:worker_threads";
import { FaceAnalyser, QualityNet } from "@omni-id/face/analysis";
import type { WorkerMessage } from "../worker-pool.ts";
import { curateSource, type SourceKind, type SourceResult } from "./curate-source.ts";
import type { Observer } from "./observe.ts";
import type { ClipProgress } from "./observe-clip.ts";
import type { VideoJob } from "./plan.ts";

/** What every job carries beside its source. */
export interface CommonJob {
  out: string;
  /** Hash of the recipe. */
  recipe: string;
  /** ONNX file of a face-quality model. */
  quality?: string;
}

export type SourceAnswer = SourceResult & { clock: Record<string, number> };
export type SourceMessage = WorkerMessage<SourceAnswer, ClipProgress>;
type Faces = Pick<Observer, "analyser" | "rate" | "clock">;

let loaded: Promise<Faces> | undefined;

/** One thread each: the workers are as many as the cores, and a network's result never depends on their number. */
async function load(quality?: string): Promise<Faces> {
  const [analyser, net] = await Promise.all([
    FaceAnalyser.load({ threads: 1 }),
    quality ? QualityNet.load(quality, { threads: 1 }) : undefined,
  ]);
  return { analyser, ...(net && { rate: (image, landmarks) => net.rate(image, landmarks) }) };
}

const post = (message: SourceMessage) => parentPort?.postMessage(message);

/** Makes a thread a worker that curates one source a message. @param kindOf what the sources are and how they are looked at */
export function serve<Job extends CommonJob & VideoJob>(kindOf: (job: Job, faces: Faces) => SourceKind): void {
  parentPort?.on("message", async (job: Job) => {
    try {
      loaded ??= load(job.quality);
      const faces: Faces = { ...(await loaded), clock: {} };
      const { out, recipe, video, clips, sampled, files } = job;
      const onProgress = (progress: ClipProgress) => post({ progress });
      const context = { out, recipe, kind: kindOf(job, faces), onProgress };
      const result = await curateSource({ video, clips, sampled, ...(files && { files }) }, context);
      post({ answer: { ...result, clock: faces.clock ?? {} } });
    } catch (error) {
      post({ error: (error as Error).message });
    }
  });
}
