import { readFileSync, statSync } from "node:fs";
import { extname } from "node:path";
import { writeAtomically } from "@omni-id/torch";
import sharp, { type Sharp } from "sharp";
import { type FileFormat, fileFormat, formatOf, systemReason, unreadable } from "./formats.ts";
import { decodeHeic } from "./heic.ts";
import type { RgbImage } from "./picture-types.ts";

/** Larger pictures are refused before they are decoded: a small file can claim billions of pixels. */
const MOST_PIXELS = 300_000_000;

/**
 * Reads JPEG, PNG, WebP, TIFF, AVIF, HEIC, GIF (first frame) or SVG, told by its content, into upright 8-bit RGB: EXIF
 * rotation is applied, transparency becomes white, grey, CMYK and 16-bit pictures become RGB.
 * @param source a file's path, or its bytes
 * `maxSide` scales larger pictures down to this longest side; a 40-megapixel photo then needs little memory.
 * @throws with the file's name when it is missing, no regular file, no picture, cut off or too large
 */
export async function loadImage(
  source: string | Uint8Array,
  { maxSide, name = typeof source === "string" ? source : "the picture" }: { maxSide?: number; name?: string } = {},
): Promise<RgbImage> {
  let format: FileFormat | undefined;
  try {
    if (typeof source === "string") checkRegular(source);
    format = typeof source === "string" ? fileFormat(source) : formatOf(source);
    if (format && !format.readable) throw new NoPicture(unreadable(format));
    const picture = format?.name === "HEIC" ? await openHeic(source) : openWithSharp(source).rotate();
    if (maxSide) picture.resize(maxSide, maxSide, { fit: "inside", withoutEnlargement: true });
    const { data, info } = await picture
      .flatten({ background: "#ffffff" })
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    if (info.channels === 3) return { width: info.width, height: info.height, data: asBytes(data) };
    return { width: info.width, height: info.height, data: spread(data, info.channels) };
  } catch (error) {
    const told = reason(error as Error, format);
    const lost = told === "no such file" && typeof source === "string" && source.includes("\ufffd");
    throw new Error(`${name}: ${told}${lost ? ", or its name is no UTF-8: rename it" : ""}`);
  }
}

const openWithSharp = (source: string | Uint8Array) =>
  sharp(source, { failOn: "error", limitInputPixels: MOST_PIXELS });

async function openHeic(source: string | Uint8Array): Promise<Sharp> {
  const bytes = typeof source === "string" ? readFileSync(source) : source;
  const { width, height, data } = await decodeHeic(bytes, MOST_PIXELS);
  return sharp(data, { raw: { width, height, channels: 4 } });
}

/** @throws when opening a path would wait for a writer, or read what is no file */
function checkRegular(path: string): void {
  const stats = statSync(path);
  if (stats.isFile()) return;
  const what = stats.isDirectory() ? "a folder" : stats.isFIFO() ? "a named pipe" : "a device";
  throw new NoPicture(`${what}, and a picture was expected`);
}

/** Its message is what a person is told. */
class NoPicture extends Error {}

/** Writes a picture in the format of the file's ending; the file appears by rename. @throws when the ending names none */
export function saveImage(path: string, image: RgbImage): Promise<void> {
  return savePicture(path, toSharp(image));
}

/** {@link saveImage} of a picture that `sharp` is at work on. A name without an ending gives a PNG. */
export async function savePicture(path: string, picture: Sharp): Promise<void> {
  const ending = extname(path).slice(1).toLowerCase();
  const format = /^(png|jpe?g|webp|tiff?|avif)$/.test(ending) ? ending : undefined;
  if (!format && /^(?=\d*[a-z])[a-z\d]{1,5}$/.test(ending)) {
    throw new Error(`${path}: end the name in .png, .jpg, .webp, .tif or .avif`);
  }
  const encoded = await (format?.startsWith("jp")
    ? picture.jpeg({ quality: 95, chromaSubsampling: "4:4:4" })
    : picture.toFormat(format?.startsWith("tif") ? "tiff" : ((format ?? "png") as "png" | "webp" | "avif"))
  ).toBuffer();
  writeAtomically(path, encoded);
}

/** The whole picture at another size (Lanczos). */
export async function resizeImage(image: RgbImage, width: number, height: number): Promise<RgbImage> {
  const data = await toSharp(image).resize(width, height, { fit: "fill", kernel: "lanczos3" }).raw().toBuffer();
  return { width, height, data: asBytes(data) };
}

/** The picture for the library `sharp`, which encodes and composes. */
export function toSharp({ width, height, data }: RgbImage): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

const asBytes = (data: Buffer) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** One channel for all three, should a format keep its single one. */
function spread(data: Buffer, channels: number): Uint8Array {
  const pixels = data.length / channels;
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) rgb[i * 3 + c] = data[i * channels + Math.min(c, channels >= 3 ? 2 : 0)];
  }
  return rgb;
}

/** What libvips does not know, or is not given. */
const UNKNOWN = /unsupported image format|unknown|is empty/i;

/** @param format what the file is by its first bytes */
function reason(error: Error, format: FileFormat | undefined): string {
  if (error instanceof NoPicture) return error.message;
  const { message } = error;
  const told = systemReason((error as NodeJS.ErrnoException).code);
  if (told) return told;
  if (/missing|ENOENT|no such file/i.test(message)) return "no such file";
  if (/exceeds pixel limit/i.test(message)) return `more than ${MOST_PIXELS / 1e6} megapixels; scale it down first`;
  // libvips keeps one list of errors for all that is read at the time: another file's failure may have emptied it, and sharp
  // then says "Unknown error".
  if (UNKNOWN.test(message) && !format?.readable) {
    return "not a picture in a format that can be read (JPEG, PNG, WebP, TIFF, AVIF, HEIC, GIF)";
  }
  const line = message.split("\n").find((one) => one !== "" && !UNKNOWN.test(one));
  return `the file is damaged or cut off${line ? ` (${line})` : ""}`;
}
