import type { RgbImage } from "./picture-types.ts";

/** How a picture without a turn is drawn at another size: places of the result to places of the picture, each way. */
export interface Upright {
  /** `x' = scale · x + shift`, in pixels, edges at whole numbers. */
  across: { scale: number; shift: number };
  down: { scale: number; shift: number };
  /** Samples of a pixel, each way. */
  samples: number;
}

/**
 * What `warp` draws by a map that neither turns nor shears, to the last bit, in a third of the time: such a map mixes
 * the same columns in every row, and neighbouring rows share the lines that they are mixed of.
 */
export function drawUpright(image: RgbImage, map: Upright, width: number, height: number): RgbImage {
  const { across, down, samples } = map;
  const columns = placesOf(width * samples, samples, across, image.width);
  const [below, above] = [new Line(image, columns), new Line(image, columns)];
  const sums = new Float64Array(3 * width);
  const data = new Uint8Array(3 * width * height);
  const share = 1 / (samples * samples);
  const bottom = image.height - 1;
  for (let y = 0; y < height; y++) {
    const row = 3 * width * y;
    sums.fill(0);
    for (let j = 0; j < samples; j++) {
      const at = clamped(down.scale * (y + (j + 0.5) / samples) + down.shift - 0.5, bottom);
      const first = at | 0;
      const second = first < bottom ? first + 1 : first;
      // Two lines of different parity lie beside each other; the next pair has mostly one of them.
      const upper = (first & 1 ? above : below).at(first);
      const lower = (second & 1 ? above : below).at(second);
      if (samples === 1) writeMixed(data, row, upper, lower, at - first);
      else addMixed(sums, upper, lower, at - first, samples);
    }
    if (samples > 1) for (let i = 0; i < sums.length; i++) data[row + i] = sums[i] * share + 0.5;
  }
  return { width, height, data };
}

function writeMixed(data: Uint8Array, row: number, upper: Float64Array, lower: Float64Array, part: number): void {
  for (let i = 0; i < upper.length; i++) data[row + i] = upper[i] + (lower[i] - upper[i]) * part + 0.5;
}

function addMixed(sums: Float64Array, upper: Float64Array, lower: Float64Array, part: number, samples: number): void {
  let k = 0;
  for (let at = 0; at < sums.length; at += 3) {
    for (let i = 0; i < samples; i++, k += 3) {
      sums[at] += upper[k] + (lower[k] - upper[k]) * part;
      sums[at + 1] += upper[k + 1] + (lower[k + 1] - upper[k + 1]) * part;
      sums[at + 2] += upper[k + 2] + (lower[k + 2] - upper[k + 2]) * part;
    }
  }
}

interface Places {
  /** Where the bytes of the left and of the right neighbour begin, in a row. */
  left: Int32Array;
  right: Int32Array;
  /** How much of the right one. */
  part: Float64Array;
}

function placesOf(count: number, samples: number, { scale, shift }: Upright["across"], width: number): Places {
  const places = { left: new Int32Array(count), right: new Int32Array(count), part: new Float64Array(count) };
  for (let k = 0; k < count; k++) {
    const at = clamped(scale * (Math.floor(k / samples) + ((k % samples) + 0.5) / samples) + shift - 0.5, width - 1);
    const first = at | 0;
    places.left[k] = 3 * first;
    places.right[k] = first < width - 1 ? 3 * first + 3 : 3 * first;
    places.part[k] = at - first;
  }
  return places;
}

const clamped = (value: number, most: number) => Math.max(0, Math.min(most, value));

/** One row of the picture, mixed of neighbouring columns: kept until another row is asked for. */
class Line {
  readonly #image: RgbImage;
  readonly #places: Places;
  readonly #values: Float64Array;
  #row = -1;

  constructor(image: RgbImage, places: Places) {
    this.#image = image;
    this.#places = places;
    this.#values = new Float64Array(3 * places.part.length);
  }

  at(row: number): Float64Array {
    if (row !== this.#row) this.#mix(row);
    return this.#values;
  }

  #mix(row: number): void {
    const { data, width } = this.#image;
    const { left, right, part } = this.#places;
    const values = this.#values;
    const start = 3 * width * row;
    for (let k = 0; k < part.length; k++) {
      const p = start + left[k];
      const q = start + right[k];
      const share = part[k];
      values[3 * k] = data[p] + (data[q] - data[p]) * share;
      values[3 * k + 1] = data[p + 1] + (data[q + 1] - data[p + 1]) * share;
      values[3 * k + 2] = data[p + 2] + (data[q + 2] - data[p + 2]) * share;
    }
    this.#row = row;
  }
}
