import openLibheif, { type Libheif } from "libheif-js/libheif-wasm/libheif.js";
import { unpacked } from "./files.ts";

/** Beside the page, packed; `writePage` puts it there. */
const FILE = "ort/libheif.wasm.gz";

let binary: Promise<ArrayBuffer> | undefined;
let opened: Libheif | undefined;

/** Fetches the decoder, so that it is there without a network too. */
export async function fetchHeic(): Promise<ArrayBuffer> {
  binary ??= unpacked(FILE).catch((error) => {
    binary = undefined;
    throw error;
  });
  return binary;
}

/** The primary picture of a HEIC file, upright. @throws when it is damaged, or larger than `mostPixels` */
export async function heicPixels(
  file: Uint8Array,
  mostPixels: number,
): Promise<{ width: number; height: number; data: Uint8ClampedArray }> {
  opened ??= openLibheif({ wasmBinary: await fetchHeic() });
  const images = new opened.HeifDecoder().decode(file);
  try {
    const image = images.find((one) => one.is_primary()) ?? images[0];
    if (!image) throw new Error("no picture in the HEIC file, or it is cut off");
    const [width, height] = [image.get_width(), image.get_height()];
    if (width * height > mostPixels) throw new Error("more pixels than this page reads; save it smaller");
    const data = new Uint8ClampedArray(4 * width * height);
    const shown = await new Promise((resolve) => image.display({ data, width, height }, resolve));
    if (!shown) throw new Error("its HEVC data cannot be decoded");
    return { width, height, data };
  } finally {
    for (const image of images) image.free();
  }
}
