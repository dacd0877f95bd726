import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { cropToFive } from "./crops.ts";
import { fivePoints } from "./landmarks.ts";
import { toPlanes } from "./network.ts";
import type { RgbImage } from "./picture-types.ts";
import { openFile, type Session } from "./session.ts";

const SIDE = 512;
/** Where FFHQ's aligned faces of 512 pixels have eyes, nose tip and mouth corners: what face quality models are trained on. */
const FFHQ_FIVE = Float32Array.from(
  [192.98138, 239.94708, 318.90277, 240.1936, 256.63416, 314.01935, 201.26117, 371.41043, 313.08905, 371.15118],
  (value) => value + 0.5,
);

/**
 * A face-quality network as an ONNX file that the user brings, such as TOPIQ's for faces (Chen et al., 2024;
 * `topiq_nr-face` of IQA-PyTorch, whose weights are for non-commercial use): one input `[1, 3, 512, 512]` RGB in 0…1,
 * the face aligned by five points; one figure out, higher is better.
 */
export class QualityNet {
  readonly name: string;
  /** SHA-256 of the file: scores of two files do not compare. */
  readonly hash: string;
  readonly #session: Session;

  private constructor(name: string, hash: string, session: Session) {
    this.name = name;
    this.hash = hash;
    this.#session = session;
  }

  /** @throws when the file is missing, no ONNX model, or takes more than one input */
  static async load(file: string, options: { threads?: number } = {}): Promise<QualityNet> {
    if (!existsSync(file)) throw new Error(`${file}: no such file; a face-quality model is an ONNX file`);
    let session: Session;
    try {
      session = await openFile(file, options);
    } catch (error) {
      throw new Error(`${file}: not an ONNX model that can be opened (${(error as Error).message.split("\n")[0]})`);
    }
    if (session.inputNames.length !== 1) {
      throw new Error(`${file}: takes ${session.inputNames.length} inputs; a face-quality model takes one picture`);
    }
    return new QualityNet(basename(file), createHash("sha256").update(readFileSync(file)).digest("hex"), session);
  }

  /** @param landmarks 68 points @throws when the model's answer is not a figure */
  async rate(image: RgbImage, landmarks: ArrayLike<number>): Promise<number> {
    const face = cropToFive(image, fivePoints(landmarks), FFHQ_FIVE, SIDE).image;
    const [scores] = await this.#session.run(toPlanes(face, [0, 0, 0], [255, 255, 255]), [1, 3, SIDE, SIDE]);
    if (scores.length !== 1 || !Number.isFinite(scores[0])) {
      throw new Error(`${this.name}: gave ${scores.length} figures, the first ${scores[0]}; one is expected`);
    }
    return scores[0];
  }
}
