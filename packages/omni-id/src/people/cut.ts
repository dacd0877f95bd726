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

/** A whole square picture at another size, with its mask: a scene. */
export async function cutScene(
  photo: RgbImage,
  { landmarks, mask: png, name }: { landmarks: ArrayLike<number>; mask: Uint8Array | undefined; name: string },
  size: number,
): Promise<CutFace> {
  const scale = size / photo.width;
  const scaled = (image: RgbImage) => (scale === 1 ? image : warp(image, [scale, 0, 0, 0, scale, 0], size, size));
  const mask = png
    ? scaled(await loadImage(png, { name })).data.filter((_, i) => i % 3 === 0)
    : new Uint8Array(size * size);
  return {
    crop: scaled(photo),
    mask: mask.map((byte) => Number(byte > 127)),
    landmarks: Float32Array.from(landmarks, (value) => value * scale),
  };
}

/** Purpose of the draws of an altered copy: beyond the numbers of photos. */
export const ALTERED = 1_000_000;

/** Purposes of the draws of a photo's copies: how one is recorded, and how it is framed. The same however many there are. */
export const copyPurposes = (image: number, copy: number): { recorded: number; framed: number } => ({
  recorded: 2 * ALTERED + 1000 * image + 2 * copy,
  framed: 2 * ALTERED + 1000 * image + 2 * copy + 1,
});

/** Draws of a person, the same whenever it is prepared. */
export const randomOf = (id: string, purpose: number): KeyedRandom =>
  new KeyedRandom(createHash("sha256").update(id).digest().readInt32LE(), purpose);
