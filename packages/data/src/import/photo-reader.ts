import { loadImage, type RgbImage } from "@omni-id/face/analysis";

/** Bytes of decoded photos that are kept. */
const MOST = 64e6;

/** Reads photos; those of one person are looked at and, soon after, drawn: small ones are decoded once. */
export class PhotoReader {
  readonly #kept = new Map<string, RgbImage>();
  #bytes = 0;

  /** @throws in words, without the path, when it is no picture that can be read */
  async read(path: string): Promise<RgbImage> {
    const there = this.#kept.get(path);
    if (there) return there;
    try {
      const image = await loadImage(path);
      if (this.#bytes + image.data.length <= MOST) {
        this.#bytes += image.data.length;
        this.#kept.set(path, image);
      }
      return image;
    } catch (error) {
      throw new UnreadablePhoto((error as Error).message.replace(`${path}: `, ""));
    }
  }
}

/** What is wrong with a file, for the report. */
export class UnreadablePhoto extends Error {}
