import { loadImage, type RgbImage, warp } from "@omni-id/face/analysis";
import type { ShardSet } from "./shards.ts";

/** What the sheet shows. */
export interface InspectOptions {
  /** Identities, from the first on. */
  rows?: number;
  /** Side of a picture on the sheet, in pixels. */
  tile?: number;
}

/** A contact sheet: one identity a row, the face mask bright, the 68 landmarks drawn in. */
export async function inspectShards(
  shards: ShardSet,
  { rows = 8, tile = 144 }: InspectOptions = {},
): Promise<RgbImage> {
  const ids = shards.ids.slice(0, rows);
  const people = await Promise.all(ids.map((id) => shards.read(id)));
  const width = Math.max(...people.map((person) => person.images.length)) * tile;
  const sheet = { width, height: ids.length * tile, data: new Uint8Array(3 * width * ids.length * tile) };
  await Promise.all(
    people.flatMap((person, row) =>
      person.images.map(async (record, column) => {
        const photo = await loadImage(await person.image(column), { name: `${person.id}.${column}.jpg` });
        const mask = await person.mask(column);
        if (mask) dim(photo.data, (await loadImage(mask, { name: `${person.id}.${column}.mask.png` })).data);
        const [scaleX, scaleY] = [tile / photo.width, tile / photo.height];
        const picture = warp(photo, [scaleX, 0, 0, 0, scaleY, 0], tile, tile);
        drawDots(picture, record.landmarks, tile / record.width, tile / record.height);
        put(sheet, picture, column * tile, row * tile);
      }),
    ),
  );
  return sheet;
}

/** Halves what lies outside the mask. */
function dim(data: Uint8Array, mask: Uint8Array): void {
  for (let i = 0; i < data.length; i++) if (mask[i] < 128) data[i] >>= 1;
}

const DOT = { radius: 1.1, colour: [51, 255, 51] } as const;

/** Discs with soft edges, at fractions of pixels. */
function drawDots(picture: RgbImage, landmarks: readonly number[], scaleX: number, scaleY: number): void {
  const { width, height, data } = picture;
  for (let i = 0; i < landmarks.length; i += 2) {
    const [x, y] = [landmarks[i] * scaleX, landmarks[i + 1] * scaleY];
    for (let row = Math.max(0, Math.floor(y - 2)); row <= Math.min(height - 1, y + 2); row++) {
      for (let column = Math.max(0, Math.floor(x - 2)); column <= Math.min(width - 1, x + 2); column++) {
        const distance = Math.hypot(column + 0.5 - x, row + 0.5 - y);
        const share = Math.min(1, Math.max(0, DOT.radius + 0.5 - distance));
        const at = 3 * (row * width + column);
        for (let c = 0; c < 3; c++) data[at + c] += share * (DOT.colour[c] - data[at + c]);
      }
    }
  }
}

function put(sheet: RgbImage, picture: RgbImage, left: number, top: number): void {
  for (let y = 0; y < picture.height; y++) {
    const row = picture.data.subarray(3 * y * picture.width, 3 * (y + 1) * picture.width);
    sheet.data.set(row, 3 * ((top + y) * sheet.width + left));
  }
}
