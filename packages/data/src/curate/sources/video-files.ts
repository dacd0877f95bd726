import { readdirSync, realpathSync, statSync } from "node:fs";
import { extname, join, relative, sep } from "node:path";

/** Endings of files that lie beside videos and are none. */
const NOT_VIDEO = new Set(
  "txt json jsonl csv tsv md html xml yaml yml srt vtt ass jpg jpeg png webp gif bmp tiff tar zip gz part ytdl py sh log pdf".split(
    " ",
  ),
);

/**
 * All files of a folder that may be videos, in the order of their paths; links to folders are followed.
 * @throws when the folder cannot be read
 */
export function videoFiles(folder: string): string[] {
  const found: string[] = [];
  const visit = (place: string, above: readonly string[]) => {
    const here = realpathSync(place);
    if (above.includes(here)) return; // a link to a folder that it lies in
    for (const name of readdirSync(place)) {
      if (name.startsWith(".")) continue;
      const path = join(place, name);
      if (isFolder(path)) visit(path, [...above, here]);
      else if (!NOT_VIDEO.has(extname(name).slice(1).toLowerCase())) found.push(path);
    }
  };
  visit(folder, []);
  return found.sort();
}

/** Links may lead nowhere, or to themselves. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Finds videos by their id, which is the file's name without its ending. */
export class VideoIndex {
  readonly folder: string;
  readonly #byStem = new Map<string, string>();

  constructor(folder: string) {
    this.folder = folder;
    for (const path of videoFiles(folder)) {
      const stem = stemOf(path);
      if (!this.#byStem.has(stem)) this.#byStem.set(stem, path);
    }
  }

  find(id: string): string | undefined {
    return this.#byStem.get(id);
  }
}

const stemOf = (path: string) => {
  const name = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
  return name.slice(0, name.length - extname(name).length);
};

/** An id for each file: its path below `root` without the ending; with it where two files differ in nothing else. */
export function idsOf(root: string, files: readonly string[]): string[] {
  const short = files.map((file) => {
    const path = relative(root, file).split(sep).join("/");
    return path.slice(0, path.length - extname(path).length);
  });
  const count = new Map<string, number>();
  for (const id of short) count.set(id, (count.get(id) ?? 0) + 1);
  return short.map((id, i) => ((count.get(id) ?? 0) > 1 ? `${id}${extname(files[i])}` : id));
}
