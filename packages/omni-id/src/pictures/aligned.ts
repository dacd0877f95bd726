import { alignedCrop, faceMaskWithoutHair, fivePoints, type RgbImage, transformPoints } from "@omni-id/face/plain";

/** A face as the decoders see it: eyes and mouth at the same places in every picture. */
export interface AlignedFace {
  crop: RgbImage;
  /** 255 inside the face, one byte a pixel. */
  mask: Uint8Array;
  /** Five landmarks in pixels of the crop. */
  points: Float32Array;
}

/** Aligns a face by its 68 landmarks; the mask is drawn from the landmarks too, without the hair over it. */
export function alignFace(image: RgbImage, landmarks: Float32Array, size: number): AlignedFace {
  const { image: crop, matrix } = alignedCrop(image, landmarks, size);
  const inside = transformPoints(landmarks, matrix);
  return { crop, mask: faceMaskWithoutHair(crop, inside), points: fivePoints(inside) };
}
