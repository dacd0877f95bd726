import type { CutPerson, CutPicture, ShardSample } from "@omni-id/data";
import { loadImage, type RgbImage } from "@omni-id/face";
import sharp from "sharp";
import { alteredCopy } from "../pictures/altered.ts";
import { touchedTokens } from "../pictures/hidden-tokens.ts";
import { ALTERED, cutFace, randomOf } from "./cut.ts";

/** How pictures are cut and encoded. */
export interface CutSettings {
  /** Sides of the crops, in pixels. */
  sizes: readonly number[];
  /** Patches of the mask of which size are told. */
  face: { size: number; patch: number };
  /** JPEG quality. */
  quality: number;
  /** An altered copy behind the only photo of those who have one. */
  altered: boolean;
}

/** Cuts a person's pictures at every size and encodes them. */
export async function cutPerson({ record, images, masks }: ShardSample, settings: CutSettings): Promise<CutPerson> {
  const altered = settings.altered && images.length === 1;
  const pictures: CutPicture[] = [];
  for (const [i, bytes] of images.entries()) {
    const photo = await loadImage(bytes, { name: `${record.id}.${i}.jpg` });
    const told = { ...record.images[i], mask: masks?.[i], name: `${record.id}.${i}.mask.png` };
    pictures.push(await cutPicture(photo, told, settings));
    if (altered) {
      pictures.push(await cutPicture(await alteredCopy(photo, randomOf(record.id, ALTERED)), told, settings));
    }
  }
  return { id: record.id, pictures, altered };
}

type Told = ShardSample["record"]["images"][number] & { mask: Uint8Array | undefined; name: string };

async function cutPicture(photo: RgbImage, told: Told, { sizes, face, quality }: CutSettings): Promise<CutPicture> {
  const files: Record<number, { crop: Uint8Array; mask: Uint8Array }> = {};
  let landmarks: Float32Array = new Float32Array();
  let touched: Uint8Array = new Uint8Array();
  for (const size of sizes) {
    const cut = await cutFace(photo, told, size);
    const raw = { width: size, height: size };
    const crop = await sharp(cut.crop.data, { raw: { ...raw, channels: 3 } })
      .jpeg({ quality, chromaSubsampling: "4:4:4" })
      .toBuffer();
    const mask = await sharp(
      cut.mask.map((bit) => 255 * bit),
      { raw: { ...raw, channels: 1 } },
    )
      .toColourspace("b-w")
      .png({ compressionLevel: 9 })
      .toBuffer();
    files[size] = { crop, mask };
    if (size !== face.size) continue;
    touched = touchedTokens(cut.mask, size, face.patch);
    landmarks = cut.landmarks.map((value) => value / size);
  }
  const { yaw, pitch, roll } = told.pose;
  return { files, landmarks, pose: [yaw, pitch, roll], caption: told.caption, face: touched };
}
