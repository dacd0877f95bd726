import { ARCFACE_TEMPLATE, cropBatch } from "@omni-id/face";
import { F, importOnnx, noGrad, type OnnxModule, scope, type Tensor, zeros } from "@omni-id/torch";
import { MIDDLE, recogniserInput } from "../backbones/recogniser.ts";
import { ALONE, type Share } from "./share.ts";

const CROP = 112;

/** Which part of the faces of a step these are. */
export interface LikenessShare {
  share?: Share;
  /** How many faces all processes have together. */
  faces?: number;
}

/**
 * How like two pictures of a face are to the recogniser that is also the nano backbone. Not in the paper, whose MTD
 * is trained by L1 alone; an option of the nano preset. The independent recogniser that measures is never used here.
 */
export class LikenessLoss {
  readonly network: OnnxModule;
  readonly #input: string;
  readonly #output: string;

  constructor(modelFile: string) {
    this.network = importOnnx(modelFile);
    this.network.requiresGrad_(false);
    [this.#input] = this.network.inputs;
    [this.#output] = this.network.outputs;
  }

  /**
   * @param made reconstructed faces `[B, 3, S, S]` in [−1, 1], grey (0) outside the face
   * @param target the true ones, treated alike
   * @param points five landmarks of each, in pixels, `[B, 5, 2]`
   * @returns scalars: `cosine`, 1 − cosine of the features; `perceptual`, L1 of the inner map over its mean size; their
   *   means over the processes are those of all faces together
   */
  compare(
    made: Tensor,
    target: Tensor,
    points: Tensor,
    { share = ALONE, faces = made.shape[0] }: LikenessShare = {},
  ): { cosine: Tensor; perceptual: Tensor } {
    return scope(() => {
      if (made.shape[0] === 0) {
        share.total(zeros([]));
        return { cosine: zeros([]), perceptual: zeros([]) };
      }
      const wanted = noGrad(() => this.#describe(target, points));
      const got = this.#describe(made, points);
      const unlike = got.feature.mul(wanted.feature).sum([1]).mul(-1).add(1).sum();
      const cosine = unlike.mul(share.count / faces);
      const size = share.total(wanted.map.abs().sum());
      const perceptual = got.map.sub(wanted.map).abs().sum().div(size).mul(share.count);
      return { cosine, perceptual };
    });
  }

  /** What `perceptual` is divided by: the size of the true faces' inner map, added up; see {@link compare}. */
  size(target: Tensor, points: Tensor): Tensor {
    return scope(() =>
      noGrad(() => (target.shape[0] === 0 ? zeros([]) : this.#describe(target, points).map.abs().sum())),
    );
  }

  /**
   * 1 − cosine between faces `[B, 3, S, S]` and wanted features of length 1, `[B, 512]`: a scalar, whose mean over the
   * processes is that of all faces together.
   * @param points five landmarks of each, in pixels, `[B, 5, 2]`
   */
  unlike(
    made: Tensor,
    wanted: Tensor,
    points: Tensor,
    { share = ALONE, faces = made.shape[0] }: LikenessShare = {},
  ): Tensor {
    return scope(() => {
      const cosines = this.#describe(made, points).feature.mul(wanted).sum([1]);
      return cosines
        .mul(-1)
        .add(1)
        .sum()
        .mul(share.count / faces);
    });
  }

  #describe(faces: Tensor, points: Tensor): { feature: Tensor; map: Tensor } {
    const crops = cropBatch(faces, points, ARCFACE_TEMPLATE, CROP);
    const values = this.network.run({ [this.#input]: recogniserInput(crops) }, [MIDDLE, this.#output]);
    return { feature: F.normalize(values[this.#output].float(), { dim: 1 }), map: values[MIDDLE].float() };
  }
}
