import type { Clip } from "../clip.ts";

/** What a reader found. */
export interface SourceClips {
  clips: Clip[];
  /** Videos that the annotations name and the folder lacks. */
  missing: string[];
  /** What could not be read, and where. */
  malformed: Malformed[];
}

export interface Malformed {
  /** File and, where it has lines, line. */
  where: string;
  what: string;
}

export const emptySource = (): SourceClips => ({ clips: [], missing: [], malformed: [] });

/** A number of an annotation. @throws what is wrong with it */
export function numberOf(value: unknown, name: string): number {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number)) {
    throw new Error(`"${name}" should be a number, not ${JSON.stringify(value) ?? "missing"}`);
  }
  return number;
}

/** @throws when a span or a box has no inside */
export function checked(clip: Clip): Clip {
  const { span, box } = clip;
  if (span && !(span.end > span.start && span.start >= 0)) {
    throw new Error(`the clip ends (${span.end}) before it starts (${span.start})`);
  }
  if (box && !(box.right > box.left && box.bottom > box.top)) {
    const { left, top, right, bottom } = box;
    throw new Error(`the box is empty: left ${left}, top ${top}, right ${right}, bottom ${bottom}`);
  }
  return clip;
}
