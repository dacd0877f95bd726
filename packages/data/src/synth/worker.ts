import { parentPort } from "node:worker_threads";
import type { SynthJob } from "./pool.ts";
import { renderPictures } from "./render.ts";
import { renderScenes } from "./scenes/render-scene.ts";

/** Renders one person a message; the pictures' buffers are handed over, not copied. */
parentPort?.on("message", async (job: SynthJob) => {
  try {
    const answer = await (job.scenes ? renderScenes({ ...job, scenes: job.scenes }) : renderPictures(job));
    const buffers = answer.images.flatMap(({ image, landmarks, mask }) => [
      image.data.buffer,
      landmarks.buffer,
      mask.buffer,
    ]);
    parentPort?.postMessage({ answer }, buffers as ArrayBuffer[]);
  } catch (error) {
    parentPort?.postMessage({ error: (error as Error).message });
  }
});
