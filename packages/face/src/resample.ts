import type { Box, RgbImage } from "./picture-types.ts";

/** Lobes of Lanczos' window. */
const LOBES = 3;

/**
 * The whole picture at another size, by the same numbers wherever it runs: means of blocks of whole pixels, as large as
 * the size that is wanted allows, then Lanczos.
 */
export function resample(image: RgbImage, width: number, height: number): RgbImage {
  return cutAndResample(image, { x: 0, y: 0, width: image.width, height: image.height }, width, height);
}

/** The part of a picture inside a box of whole pixels, at another size. */
export function cutAndResample(image: RgbImage, box: Box, width: number, height: number): RgbImage {
  if (width === box.width && height === box.height) return cut(image, box);
  const [across, down] = [blockOf(box.width / width), blockOf(box.height / height)];
  const small = shrink(image, box, across, down);
  const rows = weights(box.height / down, small.height, height);
  const columns = weights(box.width / across, small.width, width);
  return { width, height, data: filterColumns(filterRows(small, rows), columns, small.width) };
}

const blockOf = (factor: number) => Math.max(1, Math.floor(factor));

function cut({ width: columns, height: rows, data }: RgbImage, { x, y, width, height }: Box): RgbImage {
  if (width === columns && height === rows) return { width, height, data };
  const out = new Uint8Array(3 * width * height);
  for (let row = 0; row < height; row++) {
    const from = 3 * ((y + row) * columns + x);
    out.set(data.subarray(from, from + 3 * width), 3 * row * width);
  }
  return { width, height, data: out };
}

interface Floats {
  width: number;
  height: number;
  data: Float32Array;
}

/** Means of blocks; those at the far edges may be smaller. */
function shrink({ width: all, data }: RgbImage, box: Box, across: number, down: number): Floats {
  const [width, height] = [Math.ceil(box.width / across), Math.ceil(box.height / down)];
  const out = new Float32Array(3 * width * height);
  const line = new Uint32Array(3 * box.width);
  for (let row = 0; row < height; row++) {
    const [top, bottom] = [row * down, Math.min(box.height, (row + 1) * down)];
    line.fill(0);
    for (let y = top; y < bottom; y++) {
      const from = 3 * ((box.y + y) * all + box.x);
      for (let i = 0; i < line.length; i++) line[i] += data[from + i];
    }
    addBlocks(line, out.subarray(3 * row * width, 3 * (row + 1) * width), across, bottom - top);
  }
  return { width, height, data: out };
}

/** Sums of lines as means of blocks. */
function addBlocks(line: Uint32Array, out: Float32Array, across: number, down: number): void {
  for (let block = 0, at = 0; block < out.length; block += 3) {
    const end = Math.min(line.length, at + 3 * across);
    const pixels = ((end - at) / 3) * down;
    let [red, green, blue] = [0, 0, 0];
    for (; at < end; at += 3) {
      red += line[at];
      green += line[at + 1];
      blue += line[at + 2];
    }
    out[block] = red / pixels;
    out[block + 1] = green / pixels;
    out[block + 2] = blue / pixels;
  }
}

/** For each place of the result the first place that it is made of, and the weights from there on, of sum 1. */
interface Filter {
  first: Int32Array;
  taps: Float32Array;
  /** Taps of one place. */
  count: number;
}

/** @param span length of the source in its own places, of which the last may be a part @param from whole places */
function weights(span: number, from: number, to: number): Filter {
  const scale = span / to;
  const reach = LOBES * Math.max(1, scale);
  const count = Math.min(from, Math.ceil(2 * reach) + 1);
  const filter = { first: new Int32Array(to), taps: new Float32Array(to * count), count };
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.min(from - count, Math.floor(centre - reach)));
    const row = Array.from({ length: count }, (_, k) => lanczos((first + k + 0.5 - centre) / Math.max(1, scale)));
    const sum = row.reduce((a, b) => a + b, 0);
    filter.first[i] = first;
    for (const [k, weight] of row.entries()) filter.taps[i * count + k] = weight / sum;
  }
  return filter;
}

function lanczos(x: number): number {
  if (Math.abs(x) >= LOBES) return 0;
  const angle = Math.PI * x;
  return x === 0 ? 1 : (LOBES * Math.sin(angle) * Math.sin(angle / LOBES)) / (angle * angle);
}

/** Rows mixed to rows: from the top to the bottom of the picture. */
function filterRows({ width, data }: Floats, { first, taps, count }: Filter): Float32Array {
  const line = 3 * width;
  const out = new Float32Array(first.length * line);
  const sum = new Float32Array(line);
  for (let row = 0; row < first.length; row++) {
    sum.fill(0);
    for (let k = 0; k < count; k++) {
      const weight = taps[row * count + k];
      if (weight === 0) continue;
      const from = (first[row] + k) * line;
      for (let i = 0; i < line; i++) sum[i] += weight * data[from + i];
    }
    out.set(sum, row * line);
  }
  return out;
}

/** Columns mixed to columns, as bytes. */
function filterColumns(data: Float32Array, { first, taps, count }: Filter, width: number): Uint8Array {
  const columns = first.length;
  const rows = data.length / (3 * width);
  const out = new Uint8ClampedArray(rows * columns * 3);
  for (let row = 0; row < rows; row++) {
    for (let x = 0; x < columns; x++) {
      let at = 3 * (row * width + first[x]);
      let [red, green, blue] = [0, 0, 0];
      for (let k = x * count, end = k + count; k < end; k++, at += 3) {
        red += taps[k] * data[at];
        green += taps[k] * data[at + 1];
        blue += taps[k] * data[at + 2];
      }
      const to = 3 * (row * columns + x);
      out[to] = red;
      out[to + 1] = green;
      out[to + 2] = blue;
    }
  }
  return new Uint8Array(out.buffer);
}
