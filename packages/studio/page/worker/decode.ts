import type { StudioPhoto } from "omni-id/web";

/**
 * Larger photos are read at a smaller size: some browsers hold no canvas above this, and phones have little memory. A
 * face tells no more in more pixels.
 */
const MOST_PIXELS = 16_000_000;

/** A photo's pixels, upright, on white where it is transparent. @throws with what to do when the browser cannot read it */
export async function decodePhoto(file: File): Promise<StudioPhoto> {
  if (await isHeic(file)) return { name: file.name, image: toRgb(await decodeHeic(file)) };
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Error("not a picture in a format that this browser can read; save it as JPEG or PNG first");
  }
  try {
    const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (bitmap.width * bitmap.height)));
    const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("this browser has too little memory for a photo of this size");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, width, height);
    return { name: file.name, image: toRgb(context.getImageData(0, 0, width, height)) };
  } finally {
    bitmap.close();
  }
}

/** Brands of the ISO base media format that are HEIC, which hardly a browser reads. */
async function isHeic(file: File): Promise<boolean> {
  const head = new TextDecoder("latin1").decode(await file.slice(4, 12).arrayBuffer());
  return /^ftyp(heic|heix|heim|heis|hevc|hevx|mif1|msf1)$/.test(head);
}

interface Rgba {
  width: number;
  height: number;
  data: Uint8ClampedArray;
}

/** By libheif as WebAssembly, fetched when the first such photo comes. */
async function decodeHeic(file: File): Promise<Rgba> {
  const { heicPixels } = await import("./heic.ts");
  return heicPixels(new Uint8Array(await file.arrayBuffer()), MOST_PIXELS * 4);
}

function toRgb({ width, height, data }: Rgba): StudioPhoto["image"] {
  const rgb = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    rgb[to] = data[from];
    rgb[to + 1] = data[from + 1];
    rgb[to + 2] = data[from + 2];
  }
  return { width, height, data: rgb };
}

/** Pixels as a PNG file. */
export async function toPng({ width, height, data }: StudioPhoto["image"]): Promise<Blob> {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser cannot draw in a worker; a newer one can");
  const pixels = context.createImageData(width, height);
  for (let i = 0, at = 0; i < data.length; i += 3, at += 4) {
    pixels.data[at] = data[i];
    pixels.data[at + 1] = data[i + 1];
    pixels.data[at + 2] = data[i + 2];
    pixels.data[at + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

/** Pixels as an address that outlives the worker. */
export async function toAddress(image: StudioPhoto["image"]): Promise<string> {
  const bytes = new Uint8Array(await (await toPng(image)).arrayBuffer());
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return `data:image/png;base64,${btoa(text)}`;
}
