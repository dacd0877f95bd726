import { existsSync } from "node:fs";
import { ARCFACE_TEMPLATE, cropBatch } from "@omni-id/face";
import { cat, F, importOnnx, noGrad, type OnnxModule, scope, type Tensor, zeros } from "@omni-id/torch";
import type { Judge } from "./recognisers.ts";
import { cosines } from "./reconstruct.ts";

/** How a recogniser wants its faces. */
export interface JudgeInput {
  order: "rgb" | "bgr";
  /** Side of the crop, in pixels; the five points lie on ArcFace's template, which was made for 112. */
  size: number;
  /** The network sees (x − mean) / scale of bytes x. */
  mean: number;
  scale: number;
}

/** InsightFace's rule for ArcFace: RGB, 112 px, (x − 127.5) / 127.5. */
export const ARCFACE_INPUT: JudgeInput = { order: "rgb", size: 112, mean: 127.5, scale: 127.5 };

/** `--judge NAME=FILE.onnx`. */
export interface JudgeFile {
  name: string;
  file: string;
  input: JudgeInput;
}

/**
 * A further recogniser as a judge, such as ArcFace R100, AuraFace or AdaFace: `[N, 3, S, S]` in, `[N, D]` out, compared
 * by cosine.
 * @throws when the file is missing, damaged, holds an operator that is not imported, or is no recogniser of this input
 */
export function loadJudgeFile({ name, file, input }: JudgeFile): Judge {
  if (!existsSync(file))
    throw new Error(`judge ${name}: ${file}: no such file; name an ONNX file: --judge NAME=FILE.onnx`);
  let run: (faces: Tensor) => Tensor;
  try {
    run = runnerOf(importOnnx(file), input.size);
  } catch (error) {
    const wanted = `an ONNX recogniser of [N, 3, ${input.size}, ${input.size}] → [N, D]`;
    throw new Error(`judge ${name}: ${file}: ${(error as Error).message}; wanted: ${wanted} (size: --judge-input)`);
  }
  const template = Float32Array.from(ARCFACE_TEMPLATE, (value) => (value * input.size) / 112);
  return {
    measure: "cosine",
    embed: (faces, points) =>
      scope(() => {
        const crops = cropBatch(faces, points, template, input.size);
        const bytes = crops.add(1).mul(127.5).sub(input.mean).div(input.scale);
        return F.normalize(run(input.order === "bgr" ? bytes.flip([1]) : bytes).float(), { dim: 1 });
      }),
    compare: cosines,
  };
}

/** Tries the network on two blank faces: some files are made for one at a time. */
function runnerOf(network: OnnxModule, size: number): (faces: Tensor) => Tensor {
  const oneByOne = (faces: Tensor) => scope(() => cat(faces.split(1).map((face) => network.forward(face))));
  const works = (run: (faces: Tensor) => Tensor) =>
    noGrad(() =>
      scope(() => {
        const { shape } = run(zeros([2, 3, size, size]));
        if (shape.length !== 2 || shape[0] !== 2) throw new Error(`gives [${shape.join(", ")}] for two faces`);
        return run;
      }),
    );
  try {
    return works((faces) => network.forward(faces));
  } catch {
    return works(oneByOne);
  }
}
