import libheif from "libheif-js/wasm-bundle.js";

/** The primary picture of a HEIC file, upright. @throws when it is damaged, or larger than `mostPixels` */
export async function heicPixels(
  file: Uint8Array,
  mostPixels: number,
): Promise<{ width: number; height: number; data: Uint8ClampedArray }> {
  const images = new libheif.HeifDecoder().decode(file);
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
