import type { RgbImage } from "@omni-id/face";
import { KeyedRandom } from "../random.ts";
import { type Frame, SAMPLES } from "./frame.ts";
import type { View } from "./view.ts";

const TONE_STEPS = 4096;
/** Film: bright light saturates softly. */
const TONE = Float32Array.from({ length: TONE_STEPS }, (_, i) => 1 - Math.exp(-(i + 0.5) / 512));
/** Linear 0…1 to 8-bit sRGB, unrounded. */
const SRGB = Float32Array.from({ length: TONE_STEPS + 1 }, (_, i) => {
  const c = i / TONE_STEPS;
  return 255 * (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055);
});

/** The finished picture of a frame and its face mask (255 inside): exposure, grain, sharpness. */
export function develop(frame: Frame, view: View): { image: RgbImage; mask: Uint8Array } {
  const { size } = frame;
  const { exposed, mask } = expose(frame, view.exposure);
  return { image: { width: size, height: size, data: print(exposed, size, view) }, mask };
}

/** Gathers the samples of each pixel on film: linear colour 0…1, and the mask of pixels that are mostly face. */
function expose(frame: Frame, exposure: number): { exposed: Float32Array; mask: Uint8Array } {
  const { size, side, whole, colour, face, step } = frame;
  const exposed = new Float32Array(size * size * 3);
  const mask = new Uint8Array(size * size);
  const gain = exposure * 512;
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0, first = y * SAMPLES * side; x < size; x++, i++, first += SAMPLES) {
      const count = whole[i] ? 1 : SAMPLES * SAMPLES;
      const share = 1 / count;
      let inside = 0;
      for (let j = 0; j < count; j++) {
        const p = first + step[j];
        for (let k = 0; k < 3; k++) {
          const level = Math.max(0, Math.min(TONE_STEPS - 1, (colour[3 * p + k] * gain) | 0));
          exposed[3 * i + k] += TONE[level] * share;
        }
        inside += face[p];
      }
      mask[i] = inside >= count / 2 ? 255 : 0;
    }
  }
  return { exposed, mask };
}

/** Sharpens or blurs, and adds grain: bytes of sRGB. */
function print(exposed: Float32Array, size: number, { seed, frame, noise, sharpen }: View): Uint8Array {
  const r = new KeyedRandom(seed, 0x6ea1, ...(frame === undefined ? [] : [frame]));
  const row = size * 3;
  const data = new Uint8Array(size * row);
  for (let y = 0, at = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const grain = (r.uniform() + r.uniform() + r.uniform() - 1.5) * 2 * noise;
      const inner = x > 0 && y > 0 && x < size - 1 && y < size - 1;
      for (let k = 0; k < 3; k++, at++) {
        let value = exposed[at];
        if (inner) {
          const around = (exposed[at - 3] + exposed[at + 3] + exposed[at - row] + exposed[at + row]) / 4;
          value += (value - around) * sharpen;
        }
        const level = Math.max(0, Math.min(TONE_STEPS, (value * TONE_STEPS) | 0));
        data[at] = Math.max(0, Math.min(255, (SRGB[level] + grain + 0.5) | 0));
      }
    }
  }
  return data;
}
