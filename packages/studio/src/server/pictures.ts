import { type RgbImage, toSharp } from "@omni-id/face";

/** A PNG file as an address that a page can show. */
export const pngAddress = (png: Uint8Array): string =>
  `data:image/png;base64,${Buffer.from(png.buffer, png.byteOffset, png.byteLength).toString("base64")}`;

export const rgbAddress = async (image: RgbImage): Promise<string> => pngAddress(await toSharp(image).png().toBuffer());
