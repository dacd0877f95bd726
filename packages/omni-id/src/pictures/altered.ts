import type { KeyedRandom } from "@omni-id/data";
import { type RgbImage, resizeImage } from "@omni-id/face";

/** Bounds of what a copy is altered by: its size before it is enlarged again, its contrast, and each colour. */
const [SMALLEST, LARGEST] = [0.35, 0.9];
const CONTRAST = 0.25;
const BRIGHTNESS = 30;
const COLOUR = 0.12;

/**
 * Another recording of the same picture: softer, of another contrast, brightness and colour, as another camera or a
 * worse file would have it. Points in it stay where they are.
 */
export async function alteredCopy(image: RgbImage, random: KeyedRandom): Promise<RgbImage> {
  const { width, height } = image;
  const scale = random.range(SMALLEST, LARGEST);
  const small = await resizeImage(
    image,
    Math.max(1, Math.round(width * scale)),
    Math.max(1, Math.round(height * scale)),
  );
  const { data } = await resizeImage(small, width, height);
  const contrast = random.range(1 - CONTRAST, 1 + CONTRAST);
  const brightness = random.range(-BRIGHTNESS, BRIGHTNESS);
  const gains = [0, 1, 2].map(() => contrast * random.range(1 - COLOUR, 1 + COLOUR));
  const altered = Uint8ClampedArray.from(data, (value, i) => 128 + gains[i % 3] * (value - 128) + brightness);
  return { width, height, data: new Uint8Array(altered.buffer) };
}
