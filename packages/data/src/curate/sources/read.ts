import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import type { Clip } from "../clip.ts";
import { readCelebvHq, readCelebvText } from "./celebv.ts";
import { readFiles, readFolder, readList } from "./files.ts";
import { emptySource, type SourceClips } from "./source.ts";
import { readTalkingHead } from "./talking-head.ts";
import { readVfhq } from "./vfhq.ts";
import { VideoIndex } from "./video-files.ts";

/** The data sets of the paper: each with its annotations, read together with a folder of its videos. */
export const DATASETS = {
  "celebv-hq": readCelebvHq,
  "celebv-text": readCelebvText,
  vfhq: readVfhq,
  "talkinghead-1kh": readTalkingHead,
} as const;
export type Dataset = keyof typeof DATASETS;

export interface SourceOptions {
  /** Folders, video files, or text files that list videos. With annotations: the folder of their videos. */
  videos: readonly string[];
  /** Annotation files (of VFHQ: a folder), by data set. */
  annotations?: Partial<Record<Dataset, string>>;
  /** Folder of texts for the caption slot: `{clip}.txt` or `{video}.txt`, of which the first line counts. */
  captions?: string;
}

/**
 * The clips of all sources, sorted by video and name: what is written depends on this order and not on the disk's.
 * @throws when a place does not exist, or annotations come without a folder of videos
 */
export function readSources({ videos, annotations = {}, captions }: SourceOptions): SourceClips {
  const sets = Object.entries(annotations) as [Dataset, string][];
  const parts = sets.length > 0 ? readAnnotated(videos, sets) : apart(videos, once(videos.map(readPlain)));
  const all = emptySource();
  for (const part of parts) {
    all.clips.push(...part.clips);
    all.missing.push(...part.missing);
    all.malformed.push(...part.malformed);
  }
  const clips = captions ? inOrder(all.clips).map((clip) => captioned(clip, captions)) : inOrder(all.clips);
  return { clips, missing: [...new Set(all.missing)].sort(), malformed: all.malformed };
}

function captioned(clip: Clip, folder: string): Clip {
  const file = [clip.name, clip.video].map((name) => join(folder, `${name}.txt`)).find((path) => existsSync(path));
  const caption =
    file &&
    readFileSync(file, "utf8")
      .split("\n")
      .find((line) => line.trim() !== "");
  return caption ? { ...clip, caption: caption.trim() } : clip;
}

function readPlain(place: string): SourceClips {
  if (isFolder(place)) return readFolder(place);
  return extname(place).toLowerCase() === ".txt" ? readList(place) : readFiles(dirname(place), [place]);
}

/** A film under two names, by links, would be two people: it is taken once, by its own name where that is given. */
function once(parts: readonly SourceClips[]): SourceClips[] {
  const nameOf = new Map<string, string>();
  for (const { path } of parts.flatMap(({ clips }) => clips)) {
    const file = fileOf(path);
    if (!nameOf.has(file) || resolve(path) === file) nameOf.set(file, path);
  }
  return parts.map((part) => ({
    ...part,
    clips: part.clips.filter(({ path }) => nameOf.get(fileOf(path)) === path),
  }));
}

/** Where links end; the path itself where they lead nowhere. */
function fileOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

/** Files of one name in two places are two videos: their folders are put before the names, if need be the whole path. */
function apart(places: readonly string[], parts: readonly SourceClips[]): SourceClips[] {
  const folders = places.map((place) => basename(resolve(isFolder(place) ? place : dirname(place))));
  return rename(
    rename(parts, ({ video }, part) => `${folders[part]}/${video}`),
    ({ path }) => resolve(path).replace(/^[\\/]+/, ""),
  );
}

/** Gives another name to the videos whose name several files share. */
function rename(parts: readonly SourceClips[], nameOf: (clip: Clip, part: number) => string): SourceClips[] {
  const files = new Map<string, Set<string>>();
  for (const { video, path } of parts.flatMap(({ clips }) => clips)) {
    files.set(video, (files.get(video) ?? new Set()).add(resolve(path)));
  }
  return parts.map((part, p) => ({
    ...part,
    clips: part.clips.map((clip) =>
      (files.get(clip.video)?.size ?? 0) > 1 ? { ...clip, video: nameOf(clip, p) } : clip,
    ),
  }));
}

const isFolder = (place: string) => statSync(place).isDirectory();

function readAnnotated(videos: readonly string[], sets: readonly [Dataset, string][]): SourceClips[] {
  const [folder] = videos;
  if (videos.length !== 1 || !isFolder(folder)) {
    throw new Error(`annotations (${sets.map(([name]) => name).join(", ")}) want one folder of videos beside them`);
  }
  const index = new VideoIndex(folder);
  return sets.map(([name, annotations]) => DATASETS[name](annotations, index));
}

/** Sorted; the same clip in two lists counts once, two clips of one name keep both. */
function inOrder(clips: readonly Clip[]): Clip[] {
  const seen = new Map<string, Clip>();
  for (const clip of clips) {
    for (let copy = 0; ; copy++) {
      const name = copy === 0 ? clip.name : `${clip.name}-${copy + 1}`;
      const key = `${clip.video}\0${name}`;
      const there = seen.get(key);
      if (there && JSON.stringify({ ...there, name }) === JSON.stringify({ ...clip, name })) break;
      if (there) continue;
      seen.set(key, { ...clip, name });
      break;
    }
  }
  return [...seen.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, clip]) => clip);
}
