import type { RgbImage } from "@omni-id/face";
import { KeyedRandom } from "../random.ts";
import type { Frame } from "./frame.ts";
import type { View } from "./view.ts";

const TONE_STEPS = 4096;
/** Film: bright light saturates softly. */
const TONE = Float32Array.from({ length: TONE_STEPS }, (_, i) => 1 - Math.exp(-(i + 0.5) / 512));
/** Linear 0…1 to 8-bit sRGB, unrounded. */
const SRGB = Float32Array.from({ length: TONE_STEPS + 1 }, (_, i) => {
  const c = i / TONE_STEPS;
  return 255 * (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055);
});

/** The finished picture and its face mask (255 inside), from a frame `samples` times as large: exposure, grain, sharpness. */
export function develop(frame: Frame, view: View, samples: number): { image: RgbImage; mask: Uint8Array } {
  const width = frame.width / samples;
  const height = frame.height / samples;
  const { exposed, mask } = expose(frame, view.exposure, samples);
  return { image: { width, height, data: print(exposed, width, height, view) }, mask };
}

/** Gathers the samples of each pixel on film: linear colour 0…1, and the mask of pixels that are mostly face. */
function expose(frame: Frame, exposure: number, samples: number): { exposed: Float32Array; mask: Uint8Array } {
  const width = frame.width / samples;
  const height = frame.height / samples;
  const { colour, face } = frame;
  const exposed = new Float32Array(width * height * 3);
  const mask = new Uint8Array(width * height);
  const gain = exposure * 512;
  const share = 1 / (samples * samples);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3;
      let inside = 0;
      for (let j = 0; j < samples; j++) {
        for (let i = 0; i < samples; i++) {
          const p = (y * samples + j) * frame.width + x * samples + i;
          for (let k = 0; k < 3; k++)
            exposed[at + k] += TONE[Math.min(TONE_STEPS - 1, Math.max(0, (colour[3 * p + k] * gain) | 0))] * share;
          inside += face[p];
        }
      }
      mask[y * width + x] = inside * share >= 0.5 ? 255 : 0;
    }
  }
  return { exposed, mask };
}

/** Sharpens or blurs, and adds grain: bytes of sRGB. */
function print(exposed: Float32Array, width: number, height: number, view: View): Uint8Array {
  const r = new KeyedRandom(view.seed, 0x6ea1, ...(view.frame === undefined ? [] : [view.frame]));
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const grain = (r.uniform() + r.uniform() + r.uniform() - 1.5) * 2 * view.noise;
      const inner = x > 0 && y > 0 && x < width - 1 && y < height - 1;
      for (let k = 0; k < 3; k++) {
        const at = (y * width + x) * 3 + k;
        let value = exposed[at];
        if (inner) {
          const around = (exposed[at - 3] + exposed[at + 3] + exposed[at - width * 3] + exposed[at + width * 3]) / 4;
          value += (value - around) * view.sharpen;
        }
        const bounded = Math.max(0, Math.min(1, value));
        data[at] = Math.max(0, Math.min(255, SRGB[(bounded * TONE_STEPS) | 0] + grain + 0.5));
      }
    }
  }
  return data;
}
