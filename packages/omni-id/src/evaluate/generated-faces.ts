import { FaceAnalyser, fivePoints, type Pose, type RgbImage, resizeImage } from "@omni-id/face";
import { scope, type Tensor, tensor } from "@omni-id/torch";
import { toRgb } from "../pictures/picture.ts";

/** What is found in one picture; nothing where no face is. */
export interface FoundFace {
  pose: Pose;
  /** Ten numbers, pixels of the picture. */
  points: Float32Array;
}

/** The detector was made for larger pictures with some room around the face. */
const SCALE = 4;
const MARGIN = 0.2;

/** Looks for the face of each picture `[N, 3, S, S]` in [−1, 1]. */
export async function findFaces(pictures: Tensor): Promise<(FoundFace | undefined)[]> {
  const analyser = await FaceAnalyser.load();
  const found: (FoundFace | undefined)[] = [];
  for (let i = 0; i < pictures.shape[0]; i++) {
    const image = scope(() => toRgb(pictures.select(0, i)));
    const margin = Math.round(MARGIN * image.width);
    const framed = withMargin(image, margin);
    const large = await resizeImage(framed, framed.width * SCALE, framed.height * SCALE);
    const [face] = await analyser.analyse(large, { turns: false });
    found.push(
      face && {
        pose: face.pose,
        points: fivePoints(face.landmarks).map((value) => value / SCALE - margin),
      },
    );
  }
  return found;
}

/** The picture with its edge repeated outwards. */
function withMargin({ width, height, data }: RgbImage, margin: number): RgbImage {
  const [w, h] = [width + 2 * margin, height + 2 * margin];
  const out = new Uint8Array(w * h * 3);
  const inside = (value: number, size: number) => Math.min(size - 1, Math.max(0, value - margin));
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const from = 3 * (inside(y, height) * width + inside(x, width));
      out.set(data.subarray(from, from + 3), 3 * (y * w + x));
    }
  }
  return { width: w, height: h, data: out };
}

/** Five points of each picture, `[N, 5, 2]`: those found, else those of `otherwise`. */
export function pointsOf(found: readonly (FoundFace | undefined)[], otherwise: Tensor): Tensor {
  return scope(() => {
    const rest = otherwise.flatten(1).tolist() as number[][];
    return tensor(
      found.map((face, i) => (face ? [...face.points] : rest[i])),
      { dtype: "float32" },
    ).view([-1, 5, 2]);
  });
}

/** |Δyaw| + |Δpitch| + |Δroll|, degrees (the paper's pose error). */
export function poseDifference(a: Pose, b: Pose): number {
  return Math.abs(a.yaw - b.yaw) + Math.abs(a.pitch - b.pitch) + Math.abs(a.roll - b.roll);
}
