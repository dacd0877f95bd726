import type { VideoJob } from "../curate/plan.ts";
import { type CommonJob, serve } from "../curate/serve.ts";
import { decidePerson } from "./decide-person.ts";
import { describeFace } from "./describe-face.ts";
import { observePhoto } from "./observe-photo.ts";
import { PhotoReader } from "./photo-reader.ts";
import type { ImportSettings } from "./settings.ts";

/** The photos of a person with all that a worker has to know. */
interface ImportJob extends VideoJob, CommonJob {
  settings: ImportSettings;
}

serve<ImportJob>(({ settings }, faces) => {
  const photos = new PhotoReader();
  return {
    settings,
    observe: async (clip, journal, onProgress) => {
      await observePhoto(clip, journal, { ...faces, settings }, photos);
      onProgress({ frames: 1, share: 1 });
    },
    decide: (seen) => decidePerson(seen, settings),
    revisit: async ({ path }, work) => {
      const image = await photos.read(path);
      for (const [n, tasks] of work) for (const task of tasks) await task({ n, t: 0, image });
    },
    caption: describeFace,
  };
});
