import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { type MakeSetOptions, makeSet, type SetResult } from "../curate/make-set.ts";
import type { VideoJob } from "../curate/plan.ts";
import { compiledWorker } from "../worker-pool.ts";
import type { ImportSettings } from "./settings.ts";
import { readPhotos } from "./sources.ts";

export interface ImportOptions extends MakeSetOptions {
  /** Folders of photos, or tables that name file and person. */
  places: readonly string[];
  settings: ImportSettings;
}

/**
 * From folders of photos to a set of people with as many pictures as each has. Made as a set from videos is (`makeSet`):
 * a person takes the place of a video, a photo that of a clip. A person whose photos changed is done again.
 * @throws when there are no photos, models are missing, or the folder was begun by another recipe
 */
export async function importPhotos({ places, settings, ...options }: ImportOptions): Promise<SetResult> {
  const found = readPhotos(places);
  return makeSet(options, {
    kind: "photos",
    settings,
    found,
    nothing: () => {
      const [first] = found.missing;
      if (first) return `none of the ${found.missing.length} photos that are named is there, such as ${first}`;
      return `${places.join(", ")}: no photos here; wanted is a folder for each person, or one folder of name_0001.jpg, or a table of file and person`;
    },
    worker: compiledWorker(import.meta.url, "worker.js"),
    carry: {},
    brief: true,
    filesOf: filesHash,
  });
}

/** Names, sizes and words of a person's photos: not their dates, which a copy changes. */
function filesHash({ clips }: VideoJob): string {
  const files = clips.map(({ name, path, caption, twin }) => [
    name,
    statSync(path, { throwIfNoEntry: false })?.size ?? -1,
    caption,
    twin,
  ]);
  return createHash("sha256").update(JSON.stringify(files)).digest("hex").slice(0, 16);
}
