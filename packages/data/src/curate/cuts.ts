import type { RgbImage } from "@omni-id/face/analysis";

/** Columns and rows of the small grey picture that frames are compared by. */
const [COLUMNS, ROWS] = [32, 18];
/** Points looked at in a cell, each way. */
const POINTS = 4;

/** A frame as a small grey picture, `[18 × 32]`, 0…255. */
export function thumbnail({ width, height, data }: RgbImage): Float32Array {
  const cells = new Float32Array(COLUMNS * ROWS);
  for (let row = 0; row < ROWS * POINTS; row++) {
    const y = Math.floor(((row + 0.5) * height) / (ROWS * POINTS));
    for (let column = 0; column < COLUMNS * POINTS; column++) {
      const x = Math.floor(((column + 0.5) * width) / (COLUMNS * POINTS));
      const at = (y * width + x) * 3;
      const grey = 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
      cells[Math.floor(row / POINTS) * COLUMNS + Math.floor(column / POINTS)] += grey / POINTS ** 2;
    }
  }
  return cells;
}

/** Cells darker than this in both pictures are bars beside the film, and say nothing. */
const BLACK = 12;
/** A picture needs so many cells beside the bars to be compared. */
const LEAST_CELLS = 40;

/**
 * How much two thumbnails differ, 0 and up: the mean difference of their cells once light and contrast are made equal,
 * over the contrast. Unlike pictures come to about 1.1; a head that turns in a close-up leaves it below 0.3.
 */
export function sceneChange(a: Float32Array, b: Float32Array): number {
  const lit = (_: number, i: number) => a[i] >= BLACK || b[i] >= BLACK;
  const [one, two] = [standard(a.filter(lit)), standard(b.filter(lit))];
  if (!one || !two) return one === two ? 0 : 2; // to or from a blank frame
  return one.reduce((sum, value, i) => sum + Math.abs(value - two[i]), 0) / one.length;
}

/** Mean 0, deviation 1; nothing for a blank picture. */
function standard(cells: Float32Array): Float32Array | undefined {
  if (cells.length < LEAST_CELLS) return undefined;
  const mean = cells.reduce((sum, value) => sum + value, 0) / cells.length;
  const deviation = Math.sqrt(cells.reduce((sum, value) => sum + (value - mean) ** 2, 0) / cells.length);
  return deviation < 1 ? undefined : cells.map((value) => (value - mean) / deviation);
}
