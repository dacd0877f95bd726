import { arcfaceCrop } from "./crops.ts";
import { type Network, toPlanes } from "./network.ts";
import type { RgbImage } from "./picture-types.ts";

export interface FaceDescription {
  /** Of length 1, `[512]`; cosine tells people apart. */
  feature: Float32Array;
  /**
   * Length of the feature before it was normalised: how much of a face the network saw. Blur, noise, compression and
   * occlusion all lower it, and so does a turned head.
   */
  strength: number;
}

/** The recogniser's view of a face. @param landmarks 68 points */
export async function describeFace(
  network: Network,
  image: RgbImage,
  landmarks: ArrayLike<number>,
): Promise<FaceDescription> {
  const input = toPlanes(arcfaceCrop(image, landmarks), [127, 127, 127], [128, 128, 128]);
  const [raw] = await network.run(input, [1, 3, 112, 112]);
  const strength = Math.sqrt(raw.reduce((sum, value) => sum + value * value, 0));
  return { feature: Float32Array.from(raw, (value) => value / strength), strength };
}
