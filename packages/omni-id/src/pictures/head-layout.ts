import { alignmentMatrix, invert, type Pose, transformPoints } from "@omni-id/face";
import { scope, type Tensor, tensor } from "@omni-id/torch";

/** Where a head is in a square picture, and how it is held: not whose it is. */
export interface HeadLayout extends Pose {
  /** Middle of the face's aligned crop, in half pictures from the picture's middle: right, and down. */
  x: number;
  y: number;
  /** Half the crop's side over half the picture's. */
  size: number;
}

/** Of a picture's face. @param landmarks 68 points in pixels @param side of the picture, in pixels */
export function layoutOf(landmarks: ArrayLike<number>, side: number, pose: Pose): HeadLayout {
  // To the crop's own coordinates, −1 … 1 from edge to edge.
  const matrix = alignmentMatrix(landmarks, 2);
  const [x, y] = transformPoints([1, 1], invert(matrix)).map((value) => (2 * value) / side - 1);
  const [cos, sin] = matrix;
  return { ...pose, x, y, size: 2 / (Math.hypot(cos, sin) * side), roll: (Math.atan2(sin, cos) * 180) / Math.PI };
}

/** Waves over a crop's half side by which a token's place is told. */
const WAVES = [0.125, 0.25, 0.5, 1];
/** Beyond so many half sides of the crop all places are told alike. */
const FAR = 3;
/** Channels of {@link layoutTokens}. */
export const LAYOUT_CHANNELS = 4 * WAVES.length + 5;

/**
 * What each token of a picture is told of a head: where the token lies in the frame of the face (sines and cosines of its
 * place, as in Tancik et al., 2020), and how large and how turned the head is. `[B, N, {@link LAYOUT_CHANNELS}]`
 * @param across tokens along one side
 */
export function layoutTokens(layouts: readonly HeadLayout[], across: number): Tensor {
  const shape = [layouts.length, across ** 2, LAYOUT_CHANNELS];
  const told = new Float32Array(shape[0] * shape[1] * shape[2]);
  for (const [i, { x, y, size, roll, yaw, pitch }] of layouts.entries()) {
    const [cos, sin] = [Math.cos((roll * Math.PI) / 180) / size, Math.sin((roll * Math.PI) / 180) / size];
    const held = [Math.log2(size) + 1, roll / 15, yaw / 30, pitch / 15, 1];
    for (let token = 0; token < across ** 2; token++) {
      const dx = (2 * (token % across) + 1) / across - 1 - x;
      const dy = (2 * Math.floor(token / across) + 1) / across - 1 - y;
      const place = [...waves(cos * dx + sin * dy), ...waves(cos * dy - sin * dx)];
      told.set([...place, ...held], (i * across ** 2 + token) * LAYOUT_CHANNELS);
    }
  }
  return scope(() => tensor(told, { shape }));
}

function waves(place: number): number[] {
  const near = Math.max(-FAR, Math.min(FAR, place));
  return WAVES.flatMap((wave) => [Math.sin(2 * Math.PI * wave * near), Math.cos(2 * Math.PI * wave * near)]);
}
