import { type RgbImage, resizeImage, toSharp } from "@omni-id/face";

/** References that FLUX.2 takes at most. */
export const MAX_REFERENCES = 10;
/** Pixels of a reference at most, where there is one, and where there are several. */
const MOST_PIXELS = { one: 2024 ** 2, several: 1024 ** 2 } as const;
const LEAST_SIDE = 64;
const MOST_RATIO = 8;
/** Pixels of a token along one side. */
const TOKEN = 16;

export interface ReferenceSize {
  /** Width and height once the photo is shrunk to what FLUX.2 reads, and what of that is kept: multiples of 16. */
  capped: readonly [width: number, height: number];
  cropped: readonly [width: number, height: number];
}

/**
 * The size at which FLUX.2 reads a reference of `width` × `height` pixels, among `count` (flux2/sampling.py).
 * @throws when a side is under 64 pixels or one is more than eight times the other
 */
export function referenceSize(width: number, height: number, count: number): ReferenceSize {
  if (Math.min(width, height) < LEAST_SIDE) {
    throw new RangeError(`${width}×${height} pixels; a reference needs ${LEAST_SIDE} or more along each side`);
  }
  const ratio = Math.max(width, height) / Math.min(width, height);
  if (ratio > MOST_RATIO) {
    throw new RangeError(
      `${width}×${height} pixels: one side is ${ratio.toFixed(1)} times the other, and a reference may have ${MOST_RATIO} times: crop it`,
    );
  }
  const most = count === 1 ? MOST_PIXELS.one : MOST_PIXELS.several;
  const scale = Math.sqrt(most / (width * height));
  const [w, h] = scale < 1 ? [Math.trunc(width * scale), Math.trunc(height * scale)] : [width, height];
  return { capped: [w, h], cropped: [w - (w % TOKEN), h - (h % TOKEN)] };
}

/** A photo as FLUX.2 reads it, among `count`: shrunk (Lanczos) and cropped about its centre. @throws as `referenceSize` */
export async function prepareReference(photo: RgbImage, count: number): Promise<RgbImage> {
  const { capped, cropped } = referenceSize(photo.width, photo.height, count);
  const small = await resizeImage(photo, capped[0], capped[1]);
  const [left, top] = [0, 1].map((i) => Math.floor((capped[i] - cropped[i]) / 2));
  const [width, height] = cropped;
  const data = await toSharp(small).extract({ left, top, width, height }).raw().toBuffer();
  return { width, height, data: new Uint8Array(data) };
}
