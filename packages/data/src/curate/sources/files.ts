import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { emptySource, type SourceClips } from "./source.ts";
import { idsOf, videoFiles } from "./video-files.ts";

/** Every file of a folder that may be a video, whole. */
export function readFolder(folder: string): SourceClips {
  const files = videoFiles(folder);
  const ids = idsOf(folder, files);
  return { ...emptySource(), clips: files.map((path, i) => ({ video: ids[i], name: "whole", path })) };
}

/** A text file that names a video a line, absolute or from the list's own folder; `#` starts a comment. */
export function readList(list: string): SourceClips {
  const lines = readFileSync(list, "utf8")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
  return readFiles(
    dirname(list),
    lines.map((line) => resolve(dirname(list), line)),
  );
}

/** Single video files; those outside `root` are called by their whole path. */
export function readFiles(root: string, files: readonly string[]): SourceClips {
  const source = emptySource();
  const there: string[] = [];
  for (const file of new Set(files)) {
    if (existsSync(file)) there.push(file);
    else source.missing.push(file);
  }
  const ids = idsOf(root, there).map((id) => id.replace(/^(\.\.\/)+/, ""));
  source.clips = there.map((path, i) => ({ video: ids[i], name: "whole", path }));
  return source;
}
