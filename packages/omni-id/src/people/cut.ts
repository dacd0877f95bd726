import { createHash } from "node:crypto";
import { KeyedRandom } from "@omni-id/data/plain";
import { alignedCrop, faceMaskWithoutHair, loadImage, type RgbImage, transformPoints, warp } from "@omni-id/face";

/** A face as the decoders draw it. */
export interface CutFace {
  crop: RgbImage;
  /** 0 or 1, one a pixel. */
  mask: Uint8Array;
  /** 68 landmarks, pixels of the crop. */
  landmarks: Float32Array;
}

/**
 * The aligned crop of a photo, with its face mask: the one that lies beside it, else the landmarks' outline without hair.
 * @param landmarks 68 points of the photo
 */
export async function cutFace(
  photo: RgbImage,
  { landmarks, mask: png, name }: { landmarks: ArrayLike<number>; mask: Uint8Array | undefined; name: string },
  size: number,
): Promise<CutFace> {
  const { image: crop, matrix } = alignedCrop(photo, landmarks, size);
  const points = transformPoints(landmarks, matrix);
  const mask = png
    ? warp(await loadImage(png, { name }), matrix, size, size).data.filter((_, i) => i % 3 === 0)
    : faceMaskWithoutHair(crop, points);
  return { crop, mask: mask.map((byte) => Number(byte > 127)), landmarks: points };
}

/** Purpose of the draws of an altered copy: beyond the numbers of photos. */
export const ALTERED = 1_000_000;

/** Draws of a person, the same whenever it is prepared. */
export const randomOf = (id: string, purpose: number): KeyedRandom =>
  new KeyedRandom(createHash("sha256").update(id).digest().readInt32LE(), purpose);
