import { compiledWorker } from "../worker-pool.ts";
import { type MakeSetOptions, makeSet, type SetResult } from "./make-set.ts";
import type { CurateSettings } from "./settings.ts";
import { readSources, type SourceOptions } from "./sources/read.ts";
import { findFfmpeg } from "./video/ffmpeg.ts";

export interface CurateOptions extends MakeSetOptions {
  sources: SourceOptions;
  settings: CurateSettings;
  /** Path of ffmpeg. */
  ffmpeg?: string;
}

/**
 * From videos to a set of identities × images: the paper's 3.4. Every video is curated by itself, see `makeSet`.
 * @throws when there are no clips, ffmpeg or models are missing, or the folder was begun by another recipe
 */
export async function curate({ sources, settings, ffmpeg: path, ...options }: CurateOptions): Promise<SetResult> {
  const ffmpeg = findFfmpeg(path);
  const found = readSources(sources);
  return makeSet(options, {
    settings,
    found,
    nothing: () => nothingFound(sources, found),
    worker: compiledWorker(import.meta.url, "worker.js"),
    carry: { ffmpeg },
  });
}

function nothingFound({ videos }: SourceOptions, { missing, malformed }: ReturnType<typeof readSources>): string {
  const where = videos.join(", ");
  if (malformed.length > 0)
    return `${where}: no clip could be read; the first trouble: ${malformed[0].where}: ${malformed[0].what}`;
  if (missing.length > 0)
    return `${where}: none of the ${missing.length} videos that are named is there, such as ${missing[0]}`;
  return `${where}: no videos here`;
}
