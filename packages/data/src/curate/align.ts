import {
  type Affine,
  alignmentMatrix,
  FFHQ_FRAMING,
  invert,
  type RgbImage,
  transformPoints,
} from "@omni-id/face/analysis";

/** The aligned square of a face. */
export interface Alignment {
  /** Its side in the frame, pixels. */
  size: number;
  /** From the frame to the unit square. */
  toUnit: Affine;
}

/** FFHQ's square around 68 landmarks; nothing where they fall together. */
export function alignment(landmarks: ArrayLike<number>): Alignment | undefined {
  try {
    const toUnit = alignmentMatrix(landmarks, 1, FFHQ_FRAMING);
    return { toUnit, size: 1 / Math.hypot(toUnit[0], toUnit[1]) };
  } catch {
    return undefined;
  }
}

/** Points of a grid on the square, each way. */
const GRID = 12;

/** Share of the aligned square that lies outside the frame. */
export function shareOutside({ toUnit }: Alignment, { width, height }: Pick<RgbImage, "width" | "height">): number {
  const grid = Array.from({ length: GRID * GRID }, (_, i) => [
    ((i % GRID) + 0.5) / GRID,
    (Math.floor(i / GRID) + 0.5) / GRID,
  ]);
  const places = transformPoints(grid.flat(), invert(toUnit));
  let outside = 0;
  for (let i = 0; i < places.length; i += 2) {
    const [x, y] = [places[i], places[i + 1]];
    outside += Number(x < 0 || y < 0 || x > width || y > height);
  }
  return outside / (GRID * GRID);
}
