import { readFile } from "node:fs/promises";
import { renderPictures } from "@omni-id/data";
import { toSharp } from "@omni-id/face";
import type { FileForPage } from "./modes.ts";

/** Rendered people only: nobody's face is needed to test this. The demo's, whom the shipped weights have not seen. */
const SEED = 20_241_213;

export async function photosOf(identity: number, count: number, size = 320): Promise<FileForPage[]> {
  const { images } = await renderPictures({ seed: SEED, identity, images: count, size });
  return Promise.all(
    images.map(async ({ image }, i) => ({
      name: `person${identity}-${i + 1}.png`,
      mimeType: "image/png",
      buffer: await toSharp(image).png().toBuffer(),
    })),
  );
}

/** A landscape of colours without anybody in it. */
export async function nobody(): Promise<FileForPage> {
  const data = new Uint8Array(3 * 256 * 256).map((_, i) => (i % 3 === 2 ? 200 : (i / 768) % 256));
  const buffer = await toSharp({ width: 256, height: 256, data }).png().toBuffer();
  return { name: "landscape.png", mimeType: "image/png", buffer };
}

export const text = (): FileForPage => ({
  name: "notes.txt",
  mimeType: "text/plain",
  buffer: Buffer.from("no picture at all"),
});

/** What an iPhone makes. */
export async function heic(): Promise<FileForPage> {
  const file = new URL("../../face/test/fixtures/rendered-person.heic", import.meta.url);
  return { name: "rendered-person.heic", mimeType: "image/heic", buffer: await readFile(file) };
}

/** 40 megapixels of one person. */
export async function huge(): Promise<FileForPage> {
  const { images } = await renderPictures({ seed: SEED, identity: 0, images: 1, size: 512 });
  const buffer = await toSharp(images[0].image).resize(6400, 6400).jpeg({ quality: 80 }).toBuffer();
  return { name: "forty-megapixels.jpg", mimeType: "image/jpeg", buffer };
}
