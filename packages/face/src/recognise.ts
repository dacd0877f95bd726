import { arcfaceCrop } from "./crops.ts";
import type { RgbImage } from "./image.ts";
import { runSession, type Session, toPlanes } from "./session.ts";

/** The recogniser's feature of a face, of length 1, `[512]`; cosine tells people apart. @param landmarks 68 points */
export async function recogniseFace(session: Session, image: RgbImage, landmarks: Float32Array): Promise<Float32Array> {
  const input = toPlanes(arcfaceCrop(image, landmarks), [127, 127, 127], [128, 128, 128]);
  const [feature] = await runSession(session, input, [1, 3, 112, 112]);
  const length = Math.sqrt(feature.reduce((sum, value) => sum + value * value, 0));
  return Float32Array.from(feature, (value) => value / length);
}
