import { type RgbImage, savePicture } from "@omni-id/face";
import sharp from "sharp";

/** Small pictures are shown this large, in pixels. */
const SIDE = 256;
const GAP = 4;
const MOST_COLUMNS = 4;

/** Pictures of one size beside and below each other, without any text, in the format of the file's ending; the file appears by rename. */
export async function saveGrid(file: string, pictures: readonly RgbImage[]): Promise<void> {
  const columns = Math.min(MOST_COLUMNS, pictures.length);
  const rows = Math.ceil(pictures.length / columns);
  const side = Math.max(SIDE, pictures[0].width);
  const tiles = await Promise.all(
    pictures.map(async ({ data, width, height }, i) => ({
      input: await sharp(data, { raw: { width, height, channels: 3 } })
        .resize(side, side, { kernel: "cubic" })
        .png()
        .toBuffer(),
      left: (i % columns) * (side + GAP),
      top: Math.floor(i / columns) * (side + GAP),
    })),
  );
  const [width, height] = [columns * (side + GAP) - GAP, rows * (side + GAP) - GAP];
  const grid = sharp({ create: { width, height, channels: 3, background: "#ffffff" } }).composite(tiles);
  await savePicture(file, grid);
}
