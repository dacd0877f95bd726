import { readFileSync } from "node:fs";
import { type Clip, type ClipBox, safeKey } from "../clip.ts";
import { checked, emptySource, numberOf, type SourceClips } from "./source.ts";
import type { VideoIndex } from "./video-files.ts";

interface CelebvEntry {
  ytb_id?: unknown;
  duration?: Record<string, unknown>;
  bbox?: Record<string, unknown>;
}

/** CelebV-HQ's own crop grows its boxes by this share of the picture on each side (its download_and_process.py). */
const GROWN = 0.02;

/**
 * CelebV-HQ, `celebvhq_info.json`: `clips.{name}` = { ytb_id, duration { start_sec, end_sec },
 * bbox { top, bottom, left, right } as shares, attributes }.
 */
export function readCelebvHq(annotations: string, videos: VideoIndex): SourceClips {
  return readCelebv(annotations, videos, (box) => ({
    ...box,
    unit: "share",
    left: Math.max(0, box.left - GROWN),
    top: Math.max(0, box.top - GROWN),
    right: Math.min(1, box.right + GROWN),
    bottom: Math.min(1, box.bottom + GROWN),
  }));
}

/**
 * CelebV-Text, `celebvtext_info.json`, in both layouts: `clips.{name}` with boxes in pixels, or a map of
 * `{ytid}_{i}_{j}.mp4` with boxes as shares. Boxes are pixels where any value exceeds 1. Some entries call the seconds
 * of their span start_frame and end_frame, as the data set's own README does.
 */
export function readCelebvText(annotations: string, videos: VideoIndex): SourceClips {
  return readCelebv(annotations, videos, (box) => {
    const pixels = Math.max(box.left, box.top, box.right, box.bottom) > 1;
    return { ...box, unit: pixels ? "pixels" : "share" };
  });
}

type Edges = Pick<ClipBox, "left" | "top" | "right" | "bottom">;

function readCelebv(annotations: string, videos: VideoIndex, boxOf: (edges: Edges) => ClipBox): SourceClips {
  const source = emptySource();
  const text = readFileSync(annotations, "utf8");
  const lineOf = (at: number) => text.slice(0, Math.max(0, at)).split("\n").length;
  let json: Record<string, unknown> | null;
  try {
    json = JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    const at = Number(/position (\d+)/.exec(message)?.[1] ?? 0);
    source.malformed.push({ where: `${annotations}:${lineOf(at)}`, what: `no JSON (${message})` });
    return source;
  }
  const entries = json && Object.entries((json.clips as Record<string, CelebvEntry> | undefined) ?? json);
  if (!entries) source.malformed.push({ where: annotations, what: "it holds no clips" });
  for (const [key, entry] of entries ?? []) {
    const name = key.replace(/\.mp4$/, "");
    try {
      const clip = celebvClip(name, entry as CelebvEntry, boxOf);
      const path = videos.find(clip.video);
      if (path) source.clips.push({ ...clip, path });
      else source.missing.push(clip.video);
    } catch (error) {
      const where = `${annotations}:${lineOf(text.indexOf(JSON.stringify(key)))}`;
      source.malformed.push({ where, what: `clip "${name}": ${(error as Error).message}` });
    }
  }
  source.missing = [...new Set(source.missing)];
  return source;
}

function celebvClip(name: string, entry: CelebvEntry, boxOf: (edges: Edges) => ClipBox): Clip {
  const { ytb_id: video, duration, bbox } = entry ?? {};
  if (typeof video !== "string" || video === "") throw new Error(`"ytb_id" is missing`);
  const edge = (side: string) => numberOf(bbox?.[side], `bbox.${side}`);
  const second = (end: string) =>
    numberOf(duration?.[`${end}_sec`] ?? duration?.[`${end}_frame`], `duration.${end}_sec`);
  return checked({
    video,
    name: safeKey(name),
    path: "",
    span: { unit: "seconds", start: second("start"), end: second("end") },
    box: boxOf({ left: edge("left"), top: edge("top"), right: edge("right"), bottom: edge("bottom") }),
  });
}
