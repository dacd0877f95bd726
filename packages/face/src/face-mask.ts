/** How far the forehead reaches above the brows, over the distance from brows to chin. */
const FOREHEAD = 0.42;

/**
 * A mask of the face without hair and neck, drawn from 68 landmarks: the jaw line, closed by an arch over the brows
 * (the forehead's height is a guess from the face's own length).
 * @returns one byte a pixel, 255 inside, rows from the top
 */
export function faceMask(landmarks: ArrayLike<number>, width: number, height: number): Uint8Array {
  const mask = new Uint8Array(width * height);
  fillPolygon(faceOutline(landmarks), mask, width, height);
  return mask;
}

/** The outline that {@link faceMask} fills: x0, y0, x1, y1, … */
export function faceOutline(landmarks: ArrayLike<number>): number[] {
  const outline: number[] = [];
  for (let i = 0; i < 17; i++) outline.push(landmarks[2 * i], landmarks[2 * i + 1]);
  const brows = [26, 25, 24, 19, 18, 17].map((i) => [landmarks[2 * i], landmarks[2 * i + 1]]);
  const middle = [(landmarks[42] + landmarks[44]) / 2, (landmarks[43] + landmarks[45]) / 2];
  const up = [middle[0] - landmarks[16], middle[1] - landmarks[17]]; // from the chin to between the brows
  const rise = [0.45, 0.85, 1, 1, 0.85, 0.45];
  for (const [i, [x, y]] of brows.entries()) {
    outline.push(x + up[0] * FOREHEAD * rise[i], y + up[1] * FOREHEAD * rise[i]);
  }
  return outline;
}

/** Even–odd scan-line fill; a pixel is inside when its centre is. */
function fillPolygon(points: readonly number[], mask: Uint8Array, width: number, height: number): void {
  const n = points.length / 2;
  for (let y = 0; y < height; y++) {
    const cy = y + 0.5;
    const crossings: number[] = [];
    for (let i = 0; i < n; i++) {
      const [x0, y0] = [points[2 * i], points[2 * i + 1]];
      const j = (i + 1) % n;
      const [x1, y1] = [points[2 * j], points[2 * j + 1]];
      if (y0 <= cy !== y1 <= cy) crossings.push(x0 + ((cy - y0) / (y1 - y0)) * (x1 - x0));
    }
    crossings.sort((a, b) => a - b);
    for (let k = 0; k + 1 < crossings.length; k += 2) {
      const from = Math.max(0, Math.ceil(crossings[k] - 0.5));
      const to = Math.min(width, Math.ceil(crossings[k + 1] - 0.5));
      if (to > from) mask.fill(255, y * width + from, y * width + to);
    }
  }
}
