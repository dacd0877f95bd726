import { scope, type Tensor, tensor } from "@omni-id/torch";
import { drawLandmarks } from "./landmark-picture.ts";

/** Several faces' landmarks, each 136 numbers: `[B, 3, side, side]`. */
export function landmarkPictures(faces: readonly ArrayLike<number>[], side: number): Tensor {
  const all = new Float32Array(faces.length * 3 * side * side);
  for (const [i, face] of faces.entries()) all.set(drawLandmarks(face, side), i * 3 * side * side);
  return scope(() => tensor(all, { shape: [faces.length, 3, side, side] }));
}
