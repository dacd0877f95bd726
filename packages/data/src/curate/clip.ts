import { createHash } from "node:crypto";
import type { Box } from "@omni-id/face/analysis";

/** A part of a video that may show people. */
export interface Clip {
  /** The video's id: people recur within it, and what is held out is chosen by it. */
  video: string;
  /** Unique within the video. */
  name: string;
  /** The file to decode. */
  path: string;
  /** The whole file where absent. */
  span?: Span;
  /** Where the clip's person is. */
  box?: ClipBox;
  /** What is known in words. */
  caption?: string;
  /** A photo whose very file stands under another person too. */
  twin?: boolean;
}

/** Seconds, or frames of the file with both ends included. */
export interface Span {
  unit: "seconds" | "frames";
  start: number;
  end: number;
  /** Seconds of the file before frame 0. */
  from?: number;
}

/** Shares of the picture, or pixels of a picture of `width` × `height` (the file's own size where absent). */
export interface ClipBox {
  unit: "share" | "pixels";
  left: number;
  top: number;
  right: number;
  bottom: number;
  width?: number;
  height?: number;
}

/** The box in pixels of a picture of another size, inside it. */
export function boxIn({ unit, left, top, right, bottom, ...of }: ClipBox, width: number, height: number): Box {
  const [sx, sy] = unit === "share" ? [width, height] : [width / (of.width ?? width), height / (of.height ?? height)];
  const x0 = Math.max(0, left * sx);
  const y0 = Math.max(0, top * sy);
  return { x: x0, y: y0, width: Math.min(width, right * sx) - x0, height: Math.min(height, bottom * sy) - y0 };
}

/** A name that is safe as a file's and as a sample's key; different names stay different. */
export function safeKey(name: string): string {
  if (/^[\w-]{1,80}$/.test(name)) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return `${name.replace(/[^\w-]+/g, "_").slice(0, 60)}-${hash}`;
}
