import { type FaceLook, lookAt } from "./clarity.ts";
import { type Detection, detectFaces } from "./detect.ts";
import { invert, transformPoints, warp } from "./geometry.ts";
import type { Network } from "./network.ts";
import type { Affine, Box, RgbImage } from "./picture-types.ts";

/** A part of a picture, turned so that a face in it stands upright. */
export interface TurnedPatch {
  image: RgbImage;
  /** From the picture's coordinates to the patch's. */
  matrix: Affine;
  /** The face, in pixels of the patch. */
  box: Box;
}

/** A face that was found in a turned patch. */
export interface TurnedLook {
  look: FaceLook;
  patch: TurnedPatch;
  /** Degrees clockwise. */
  turn: number;
  score: number;
}

/** How far a patch reaches around a face, over the side of its box: a box of a face on its side lies badly. */
const AROUND = 3;
/** Faces are shrunk to this width, in pixels, in a patch. */
const PATCH_FACE = 160;
/** Quarter turns come first: cameras make them. */
const TURNS = [90, 270, 180, 45, 315, 135, 225] as const;
/** A turned look counts where it shows a person clearly, and by so much more than the picture as it is. */
const CLEAR = 2.4;
const CLEARER = 0.5;
/** As clear as a face that needs no other look. */
const SURE = 2.8;
const LEAST_SCORE = 0.5;

/** Whether a face is clear enough not to be looked at in other turns. */
export const isSure = (clarity: number): boolean => clarity >= SURE;

/** The turn in which a face that does not fit is clearest; `undefined` where none is clearer than upright. */
export async function bestTurn(
  networks: { detector: Network; landmark: Network; recogniser: Network },
  image: RgbImage,
  { box }: Detection,
  clarity: number,
): Promise<TurnedLook | undefined> {
  let best: TurnedLook | undefined;
  for (const [i, turn] of TURNS.entries()) {
    if (i === 3 && best && isSure(best.look.clarity)) break;
    const patch = turnedPatch(image, box, turn);
    const found = await detectFaces(networks.detector, patch.image, { threshold: LEAST_SCORE, effort: "quick" });
    const [near] = found.filter((one) => isNear(one.box, patch.box));
    if (!near) continue;
    const look = await lookAt(networks, patch.image, near.box);
    if (look.clarity < Math.max(CLEAR, clarity + CLEARER, best?.look.clarity ?? 0)) continue;
    best = { look, turn, score: near.score, patch: { ...patch, box: near.box } };
  }
  return best;
}

/** A square around a box, brought upright for a face that is turned clockwise by so many degrees. */
export function turnedPatch(image: RgbImage, box: Box, turn: number): TurnedPatch {
  const scale = Math.min(1, PATCH_FACE / box.width);
  const side = Math.max(1, Math.round(AROUND * box.width * scale));
  const [cos, sin] = [Math.cos((turn * Math.PI) / 180) * scale, Math.sin((turn * Math.PI) / 180) * scale];
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const matrix: Affine = [cos, sin, side / 2 - cos * x - sin * y, -sin, cos, side / 2 + sin * x - cos * y];
  const face = box.width * scale;
  const inside = { x: (side - face) / 2, y: (side - face) / 2, width: face, height: face };
  return { image: warp(image, matrix, side, side), matrix, box: inside };
}

/** A square of a patch in the picture: as large, about the same point, but upright there. */
export function boxInPicture({ x, y, width }: Box, matrix: Affine): Box {
  const [cx, cy] = transformPoints([x + width / 2, y + width / 2], invert(matrix));
  const side = width / Math.hypot(matrix[0], matrix[1]);
  return { x: cx - side / 2, y: cy - side / 2, width: side, height: side };
}

/** The whole picture turned back, for a face that lies on its side. @param turn 90, 180 or 270 degrees clockwise */
export function turnPicture({ width, height, data }: RgbImage, turn: number): { image: RgbImage; matrix: Affine } {
  const upside = turn === 180;
  const [w, h] = upside ? [width, height] : [height, width];
  const out = new Uint8Array(data.length);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const [u, v] = upside ? [width - 1 - x, height - 1 - y] : turn === 90 ? [width - 1 - y, x] : [y, height - 1 - x];
      const from = 3 * (v * width + u);
      const to = 3 * (y * w + x);
      out[to] = data[from];
      out[to + 1] = data[from + 1];
      out[to + 2] = data[from + 2];
    }
  }
  const matrix: Affine = upside
    ? [-1, 0, width, 0, -1, height]
    : turn === 90
      ? [0, 1, 0, -1, 0, width]
      : [0, -1, height, 1, 0, 0];
  return { image: { width: w, height: h, data: out }, matrix };
}

/** Whether two squares may be one face: their middles lie within half a side. */
function isNear(a: Box, b: Box): boolean {
  const between = Math.hypot(a.x + a.width / 2 - b.x - b.width / 2, a.y + a.height / 2 - b.y - b.height / 2);
  return between < 0.6 * Math.max(a.width, b.width) && a.width < 2.2 * b.width && b.width < 2.2 * a.width;
}
