import { loadImage, toSharp } from "@omni-id/face";
import sharp from "sharp";
import type { ShardSet } from "./shards.ts";

/** What the sheet shows. */
export interface InspectOptions {
  /** Identities, from the first on. */
  rows?: number;
  /** Side of a picture on the sheet, in pixels. */
  tile?: number;
}

/** A contact sheet (PNG): one identity a row, the face mask bright, the 68 landmarks drawn in. */
export async function inspectShards(shards: ShardSet, { rows = 8, tile = 144 }: InspectOptions = {}): Promise<Buffer> {
  const ids = shards.ids.slice(0, rows);
  const people = await Promise.all(ids.map((id) => shards.read(id)));
  const columns = Math.max(...people.map((person) => person.images.length));
  const tiles = await Promise.all(
    people.flatMap((person, row) =>
      person.images.map(async (record, column) => {
        const photo = await loadImage(await person.image(column), { name: `${person.id}.${column}.jpg` });
        const mask = await person.mask(column);
        if (mask) dim(photo.data, (await loadImage(mask, { name: `${person.id}.${column}.mask.png` })).data);
        const input = await toSharp(photo)
          .resize(tile, tile, { fit: "fill" })
          .composite([{ input: Buffer.from(dots(record.landmarks, record.width, record.height, tile)) }])
          .png()
          .toBuffer();
        return { input, left: column * tile, top: row * tile };
      }),
    ),
  );
  return sharp({ create: { width: columns * tile, height: ids.length * tile, channels: 3, background: "#000" } })
    .composite(tiles)
    .png()
    .toBuffer();
}

/** Halves what lies outside the mask. */
function dim(data: Uint8Array, mask: Uint8Array): void {
  for (let i = 0; i < data.length; i++) if (mask[i] < 128) data[i] >>= 1;
}

function dots(landmarks: readonly number[], width: number, height: number, tile: number): string {
  const circles: string[] = [];
  for (let i = 0; i < landmarks.length; i += 2) {
    const [x, y] = [(landmarks[i] / width) * tile, (landmarks[i + 1] / height) * tile];
    circles.push(`<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="1.1" fill="#3f3"/>`);
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${tile}" height="${tile}">${circles.join("")}</svg>`;
}
