import { FaceReader } from "./face-reader.ts";
import { resizeImage } from "./image.ts";
import { detectorModel, landmarkModel, poseModel, recogniserModel } from "./model-entries.ts";
import type { RgbImage } from "./picture-types.ts";
import { openSession } from "./session.ts";

/** Finds and measures faces with the default set of models, on ONNX Runtime for Node. */
export class FaceAnalyser extends FaceReader {
  /** @throws when a model's file is missing or damaged */
  static async load(options: { threads?: number } = {}): Promise<FaceAnalyser> {
    const [detector, landmark, pose, recogniser] = await Promise.all(
      [detectorModel, landmarkModel, poseModel, recogniserModel].map((model) => openSession(model, options)),
    );
    return new FaceAnalyser({ detector, landmark, pose, recogniser });
  }

  protected override quickCopy(image: RgbImage, width: number, height: number): Promise<RgbImage> {
    return resizeImage(image, width, height);
  }
}
