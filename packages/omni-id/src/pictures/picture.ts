import { type RgbImage, savePicture } from "@omni-id/face";
import { scope, type Tensor } from "@omni-id/torch";
import sharp from "sharp";
import { escapeXml } from "./escape-xml.ts";

export interface Sheet {
  title: string;
  /** Heads of the columns. */
  columns: string[];
  /** Pictures row by row; `null` leaves a place empty. All are shown at the same size. */
  rows: (RgbImage | null)[][];
  /** Lines under the pictures. */
  notes: string[];
  /** Side of a tile on the sheet, in pixels. */
  tile?: number;
}

const GAP = 6;
const MARGIN = 24;
const LINE = 20;
/** Mean width of a letter of the notes, in pixels, on the safe side. */
const LETTER = 7.6;
const INK = "#1d2430";

/** A labelled sheet of pictures in the format of the file's ending, written by rename. */
export async function saveSheet(file: string, sheet: Sheet): Promise<void> {
  const { title, columns, rows, tile = 128 } = sheet;
  const pitch = tile + GAP;
  const across = Math.max(columns.length, ...rows.map((row) => row.length));
  const width = Math.max(720, 2 * MARGIN + across * pitch - GAP);
  const notes = sheet.notes.flatMap((note) => wrap(note, (width - 2 * MARGIN) / LETTER));
  const headLines = Math.max(1, ...columns.map((head) => head.split("\n").length));
  const top = MARGIN + 30 + headLines * 17 + 6;
  const below = top + rows.length * pitch + 8;
  const height = below + notes.length * LINE + MARGIN;

  const text = (x: number, y: number, size: number, words: string, style = "") =>
    `<text x="${x}" y="${y}" font-family="DejaVu Sans, Liberation Sans, sans-serif" font-size="${size}" fill="${INK}" ${style}>${escapeXml(words)}</text>`;
  const heads = columns.flatMap((head, column) =>
    head
      .split("\n")
      .map((line, i) =>
        text(MARGIN + column * pitch + tile / 2, MARGIN + 44 + i * 17, 13, line, 'text-anchor="middle"'),
      ),
  );
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">`,
    text(MARGIN, MARGIN + 16, 19, title, 'font-weight="bold"'),
    ...heads,
    ...notes.map((note, i) => text(MARGIN, below + 14 + i * LINE, 13, note)),
    "</svg>",
  ].join("");

  const tiles = await Promise.all(
    rows.flatMap((row, y) =>
      row.map(async (image, x) => {
        if (!image) return [];
        const input = await sharp(image.data, { raw: { width: image.width, height: image.height, channels: 3 } })
          .resize(tile, tile, { kernel: "cubic", fit: "cover" })
          .png()
          .toBuffer();
        return [{ input, left: MARGIN + x * pitch, top: top + y * pitch }];
      }),
    ),
  );
  const whole = sharp({ create: { width, height, channels: 3, background: "#ffffff" } });
  await savePicture(file, whole.composite([{ input: Buffer.from(svg), left: 0, top: 0 }, ...tiles.flat()]));
}

/** Breaks a line between words where it would be longer than `most` letters; what goes on is set in. */
function wrap(note: string, most: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of note.split(" ")) {
    if (line.trim() !== "" && line.length + 1 + word.length > most) {
      lines.push(line);
      line = "\u00a0\u00a0\u00a0";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** One picture of `[N, 3, S, S]` or `[3, S, S]` in [−1, 1] as plain data. */
export function toRgb(picture: Tensor): RgbImage {
  return scope(() => {
    const [, height, width] = picture.shape;
    const bytes = picture.clamp(-1, 1).add(1).mul(127.5).round().to("uint8").permute([1, 2, 0]).contiguous();
    return { width, height, data: Uint8Array.from(bytes.toTypedArray() as Uint8Array) };
  });
}
