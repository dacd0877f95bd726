/** A picture as interleaved RGBA bytes. */
export interface RgbaPicture {
  width: number;
  height: number;
  data: Uint8Array;
}

/**
 * Decodes HEIC, what iPhones make. sharp's libvips knows the container but, for HEVC's patents, not the codec; libheif
 * as WebAssembly is loaded when the first such file comes.
 * @param file the file's bytes @param mostPixels larger pictures are refused before they are decoded
 * @returns the primary picture, upright: the file's own turns are applied
 * @throws when the bytes are damaged or cut off
 */
export async function decodeHeic(file: Uint8Array, mostPixels: number): Promise<RgbaPicture> {
  const { default: libheif } = await import("libheif-js/wasm-bundle.js");
  return quietly(async () => {
    const images = new libheif.HeifDecoder().decode(file);
    try {
      const image = images.find((one) => one.is_primary()) ?? images[0];
      if (!image) throw new Error("no picture in the HEIC file");
      const [width, height] = [image.get_width(), image.get_height()];
      if (width * height > mostPixels) throw new Error(`${width}×${height} pixels exceeds pixel limit`);
      const data = new Uint8ClampedArray(width * height * 4);
      const shown = await new Promise((resolve) => image.display({ data, width, height }, resolve));
      if (!shown) throw new Error("its HEVC data cannot be decoded");
      return { width, height, data: new Uint8Array(data.buffer) };
    } finally {
      for (const image of images) image.free();
    }
  });
}

const TROUBLES = /^(Could not |Decoding image failed|Error loading image ids|No images found)/;

/** libheif tells its troubles on stdout, where a command's result goes. They end in an error of ours anyway. */
async function quietly<T>(work: () => Promise<T>): Promise<T> {
  const { log } = console;
  console.log = (...parts: unknown[]) => {
    if (!TROUBLES.test(String(parts[0]))) log(...parts);
  };
  try {
    return await work();
  } finally {
    console.log = log;
  }
}
