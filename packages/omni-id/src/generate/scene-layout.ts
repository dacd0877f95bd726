import { drawFramed, FRAMINGS, KeyedRandom, readFraming, readSceneWords, type SceneTruth, SIDES } from "@omni-id/data";
import type { Pose } from "@omni-id/face";
import type { HeadLayout } from "../pictures/head-layout.ts";

/** Purpose of the draws of a layout; its key is the seed, then the number of the picture. */
const LAYOUT = 32;
/** Half the side of a face's aligned crop over the face's size, and how far it lies above its middle, in half pictures: as rendered scenes have it. */
const CROP = 1.6;
const ABOVE = 0.04;

/** Who is to be drawn where, by words, with a noise of its own. */
export interface LaidOut {
  prompt: string;
  seed: number;
  number: number;
  /** Drawn where nothing is said. */
  pose?: Pose | undefined;
}

/**
 * Where the head is in a scene and how it is held: by the words of the prompt, such as "close-up" and "on the left", and
 * where these say nothing, drawn by seed and number as rendered scenes are framed. Half figures are drawn where they are
 * asked for.
 */
export function drawLayout({ prompt, seed, number, pose }: LaidOut): HeadLayout {
  const r = new KeyedRandom(seed, number, LAYOUT);
  const held = { yaw: r.spread(9, 20), pitch: r.spread(6, 14) - 1, roll: r.spread(5, 12) };
  const framing = r.weighted(FRAMINGS.filter(([name]) => name !== "half figure"));
  const side = r.weighted(SIDES);
  const said = readFraming(prompt);
  const hat = (readSceneWords(prompt).hat ?? "none") as SceneTruth["hat"];
  const { extent, shift } = drawFramed(r, { framing: said.framing ?? framing, side: said.side ?? side, hat });
  return { ...held, ...pose, x: shift[0], y: -shift[1] - ABOVE, size: CROP / extent };
}
