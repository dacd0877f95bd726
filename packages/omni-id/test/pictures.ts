import { join } from "node:path";
import { renderPictures } from "@omni-id/data";
import { type RgbImage, saveImage } from "@omni-id/face";

/** Frontal-enough pictures of a rendered person, as files. */
export async function writePhotos(folder: string, identity: number, count: number, size = 192): Promise<string[]> {
  const { images } = await renderPictures({ seed: 77, identity, images: count, size });
  return Promise.all(
    images.map(async ({ image }, i) => {
      const file = join(folder, `person${identity}-${i}.png`);
      await saveImage(file, image);
      return file;
    }),
  );
}

/** Two pictures of one height side by side. */
export function beside(a: RgbImage, b: RgbImage): RgbImage {
  const width = a.width + b.width;
  const data = new Uint8Array(width * a.height * 3);
  for (let y = 0; y < a.height; y++) {
    data.set(a.data.subarray(y * a.width * 3, (y + 1) * a.width * 3), y * width * 3);
    data.set(b.data.subarray(y * b.width * 3, (y + 1) * b.width * 3), (y * width + a.width) * 3);
  }
  return { width, height: a.height, data };
}
