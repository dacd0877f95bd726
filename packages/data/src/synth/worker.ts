import { parentPort } from "node:worker_threads";
import { type RenderJob, renderPictures } from "./render.ts";

/** Renders one person a message; the pictures' buffers are handed over, not copied. */
parentPort?.on("message", async (job: RenderJob & { images: number }) => {
  try {
    const answer = await renderPictures(job);
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
