import type { Box, Pose } from "@omni-id/face/analysis";
import type { ClipEnd } from "./journal.ts";
import type { Reason } from "./observation.ts";

/** What became of a video: the first line of its journal. No faces, no features: those went with the observations. */
export interface VideoLine {
  video: string;
  key: string;
  /** See `VideoJob.files`. */
  files?: string;
}

export interface ClipLine extends ClipEnd {
  clip: string;
  /** Frames in which no face was found. */
  empty: number;
  /** Seconds of the file at which another scene was seen. */
  cuts: number[];
}

/** A face that was seen, and its fate. */
export interface FaceLine {
  clip: string;
  /** Second of the file. */
  t: number;
  box: Box;
  /** Why it was not taken. */
  why?: Reason;
  /** Number of its person, where it came so far. */
  person?: number;
  /** Number of its picture, where it was taken. */
  picture?: number;
  size?: number;
  detail?: number;
  quality?: number;
  pose?: Pose;
}

export interface PersonLine {
  /** Id of the identity; empty where nothing was kept. */
  id: string;
  person: number;
  /** Faces that could have been taken. */
  faces: number;
  pictures: number;
}

/** Journal of a finished video. */
export interface Outcome {
  video: VideoLine;
  clips: ClipLine[];
  faces: FaceLine[];
  people: PersonLine[];
}

export function outcomeText({ video, clips, faces, people }: Outcome): string {
  return [video, ...clips, ...people, ...faces, { end: true }].map((line) => `${JSON.stringify(line)}\n`).join("");
}

/** @throws with the journal's name when it is damaged */
export function parseOutcome(path: string, text: string): Outcome {
  const outcome: Partial<Outcome> & Omit<Outcome, "video"> = { clips: [], faces: [], people: [] };
  let whole = false;
  for (const [i, line] of text.split("\n").entries()) {
    if (line === "") continue;
    try {
      const record = JSON.parse(line) as Record<string, unknown>;
      if ("end" in record) whole = true;
      else if ("video" in record) outcome.video = record as unknown as VideoLine;
      else if ("box" in record) outcome.faces.push(record as unknown as FaceLine);
      else if ("pictures" in record) outcome.people.push(record as unknown as PersonLine);
      else outcome.clips.push(record as unknown as ClipLine);
    } catch (error) {
      throw new Error(`${path}:${i + 1}: damaged (${(error as Error).message}); delete the file and curate again`);
    }
  }
  if (!outcome.video || !whole) throw new Error(`${path}: cut off; delete the file and curate again`);
  return outcome as Outcome;
}
