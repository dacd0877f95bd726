import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { safeKey } from "../clip.ts";
import { checked, emptySource, numberOf, type SourceClips } from "./source.ts";
import type { VideoIndex } from "./video-files.ts";

const NAME = /^Clip\+(?<video>.+)\+P(?<person>\d+)\+C(?<clip>\d+)\+F(?<start>\d+)-(?<end>\d+)\.txt$/;

/**
 * VFHQ, a folder of `Clip+{video}+P{person}+C{clip}+F{start}-{end}.txt` whose lines begin with H, W, FPS and CROP
 * (x0 y0 x1 y1, pixels). Start and end are frames of the whole video; like the data set's own script we leave out the
 * first and the last.
 */
export function readVfhq(folder: string, videos: VideoIndex): SourceClips {
  const source = emptySource();
  const missing = new Set<string>();
  for (const file of readdirSync(folder).sort()) {
    if (!file.startsWith("Clip+")) continue;
    const path = join(folder, file);
    const named = NAME.exec(file)?.groups;
    if (!named) {
      const what = "the file's name should be Clip+{video}+P{person}+C{clip}+F{start}-{end}.txt";
      source.malformed.push({ where: path, what });
      continue;
    }
    const { video, person, clip, start, end } = named;
    try {
      const { height, width, fps, crop } = readFields(readFileSync(path, "utf8"));
      const found = videos.find(video);
      if (!found) missing.add(video);
      const [left, top, right, bottom] = crop;
      const read = checked({
        video,
        name: safeKey(`P${person}-C${clip}-F${start}-${end}`),
        path: found ?? "",
        span: { unit: "seconds", start: (Number(start) + 1) / fps, end: (Number(end) - 1) / fps },
        box: { unit: "pixels", left, top, right, bottom, width, height },
      });
      if (found) source.clips.push(read);
    } catch (error) {
      const { line, message } = error as Error & { line?: number };
      source.malformed.push({ where: line ? `${path}:${line}` : path, what: message });
    }
  }
  source.missing = [...missing];
  return source;
}

function readFields(text: string): { height: number; width: number; fps: number; crop: number[] } {
  const fields = new Map<string, { numbers: number[]; line: number }>();
  for (const [i, line] of text.split("\n").entries()) {
    const [, key, rest] = /^(H|W|FPS|CROP)\b\s*[:=]?\s*(.*)$/.exec(line.trim()) ?? [];
    if (!key) continue; // other lines are landmarks and the like
    try {
      const numbers = rest.split(/[\s,]+/).map((part) => numberOf(part, key));
      if (numbers.length !== (key === "CROP" ? 4 : 1)) throw new Error(`"${key}" has ${numbers.length} numbers`);
      fields.set(key, { numbers, line: i + 1 });
    } catch (error) {
      throw Object.assign(error as Error, { line: i + 1 });
    }
  }
  const one = (key: string) => {
    const field = fields.get(key);
    if (!field) throw new Error(`the line "${key}" is missing`);
    return field.numbers;
  };
  const [[height], [width], [fps]] = [one("H"), one("W"), one("FPS")];
  if (!(fps > 0)) throw Object.assign(new Error(`"FPS" is ${fps}`), { line: fields.get("FPS")?.line });
  return { height, width, fps, crop: one("CROP") };
}
