import { CENTRE, type Frame, PLACE_X, PLACE_Y, SAMPLES } from "./frame.ts";

/** Linear light; above 1 for what shines. */
export type Rgb = readonly [number, number, number];

/** A small picture that is painted with blurred shapes and enlarged behind the person. */
export class Backdrop {
  readonly side: number;
  readonly pixels: Float32Array;

  constructor(side: number) {
    this.side = side;
    this.pixels = new Float32Array(side * side * 3);
  }

  blend(x: number, y: number, colour: Rgb, share: number): void {
    if (x < 0 || y < 0 || x >= this.side || y >= this.side) return;
    const at = (Math.floor(y) * this.side + Math.floor(x)) * 3;
    for (let c = 0; c < 3; c++) this.pixels[at + c] += (colour[c] - this.pixels[at + c]) * share;
  }

  box(x: number, y: number, width: number, height: number, colour: Rgb, share: number): void {
    for (let j = Math.max(0, y); j < Math.min(this.side, y + height); j++) {
      for (let i = Math.max(0, x); i < Math.min(this.side, x + width); i++) this.blend(i, j, colour, share);
    }
  }

  disc(x: number, y: number, radius: number, colour: Rgb, share: number): void {
    for (let j = Math.floor(y - radius); j <= y + radius; j++) {
      for (let i = Math.floor(x - radius); i <= x + radius; i++) {
        if ((i - x) ** 2 + (j - y) ** 2 < radius * radius) this.blend(i, j, colour, share);
      }
    }
  }

  /** Running mean along rows, then along columns. */
  blur(radius: number): void {
    for (const [step, line] of [
      [3, this.side * 3],
      [this.side * 3, 3],
    ] as const) {
      const from = this.pixels.slice();
      for (let l = 0; l < this.side; l++) {
        for (let c = 0; c < 3; c++) {
          const base = l * line + c;
          const value = (i: number) => from[base + Math.max(0, Math.min(this.side - 1, i)) * step];
          let sum = 0;
          for (let i = -radius; i <= radius; i++) sum += value(i);
          for (let i = 0; i < this.side; i++) {
            this.pixels[base + i * step] = sum / (2 * radius + 1);
            sum += value(i + radius + 1) - value(i - radius);
          }
        }
      }
    }
  }
}

/** Interpolates the backdrop over the samples, or whole pixels, that show no triangle. */
export function enlarge(backdrop: Backdrop, gain: number, { size, side, whole, triangle, colour, step }: Frame): void {
  const { pixels, side: across } = backdrop;
  // Places along a line in half samples, since pixels' centres lie between samples.
  const places = Float64Array.from({ length: 2 * side }, (_, i) =>
    Math.max(0, Math.min(across - 1.001, (i / 2 / side) * across - 0.5)),
  );
  for (let j = 0, i = 0; j < size; j++) {
    for (let l = 0, first = j * SAMPLES * side; l < size; l++, i++, first += SAMPLES) {
      for (let k = whole[i] ? CENTRE : 0; k < (whole[i] ? CENTRE + 1 : CENTRE); k++) {
        const p = first + step[k];
        if (triangle[p] >= 0) continue;
        const x = places[2 * (l * SAMPLES + PLACE_X[k])];
        const y = places[2 * (j * SAMPLES + PLACE_Y[k])];
        const x0 = x | 0;
        const y0 = y | 0;
        for (let c = 0; c < 3; c++) {
          const at = (y0 * across + x0) * 3 + c;
          const below = at + across * 3;
          const upper = pixels[at] + (pixels[at + 3] - pixels[at]) * (x - x0);
          const lower = pixels[below] + (pixels[below + 3] - pixels[below]) * (x - x0);
          colour[3 * p + c] = gain * (upper + (lower - upper) * (y - y0));
        }
      }
    }
  }
}
