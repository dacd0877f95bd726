/** A picture as plain data: rows of interleaved RGB bytes from the top-left corner. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * An affine map of the plane, row by row: x' = m[0]·x + m[1]·y + m[2], y' = m[3]·x + m[4]·y + m[5].
 * Coordinates are pixels from the image's top-left corner; the first pixel's centre is (0.5, 0.5).
 */
export type Affine = readonly [number, number, number, number, number, number];

/** An upright rectangle in pixels, from its top-left corner. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}
