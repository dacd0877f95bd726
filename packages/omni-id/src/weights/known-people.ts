import { existsSync } from "node:fs";
import { join } from "node:path";
import { nn, noGrad, op, scope, type Tensor, zeros } from "@omni-id/torch";
import { openWeightsFile, saveWeightsFile, type WeightsNote } from "./file.ts";

/** In which directions the training people's identities differ; beside the decoders that were trained on them. */
export const KNOWN_FILE = "known-people.safetensors";
/**
 * Directions kept. Of press photographs under the shipped weights, on the validation people: without, 20 % net at
 * guidance 3 with torn faces; with 256, 128 and 64 directions 21, 23 and 24 %, and the faces the more whole the fewer.
 */
export const KNOWN_DIRECTIONS = 64;
/** Added to deviations: what hardly varies among training people is not made large. */
const LEAST_DEVIATION = 0.05;

/**
 * What the decoders have met of ℓ: the principal directions in which the training people's identities differ, relative
 * to their deviations. An identity of another kind of pictures has parts beyond; no decoder knows what they mean, and
 * guidance makes torn faces of them.
 */
export class KnownPeople extends nn.Module {
  /** Of ℓ over the training people, `[L·C]`. */
  readonly mean: Tensor;
  readonly deviation: Tensor;
  /** Orthonormal rows, `[directions, L·C]`. */
  readonly directions: Tensor;

  /** @param size numbers in an identity, L · C */
  constructor(size: number, directions: number) {
    super();
    this.mean = scope(() => nn.buffer(zeros([size])));
    this.deviation = scope(() => nn.buffer(zeros([size]).add(1)));
    this.directions = scope(() => nn.parameter(zeros([directions, size])));
  }

  /** Of identities of training people, `[N, L, C]`; at most as many directions as so many people can differ in. */
  static fit(identities: Tensor, most = KNOWN_DIRECTIONS): KnownPeople {
    const [people, ...shape] = identities.shape;
    const size = shape.reduce((product, one) => product * one, 1);
    const known = new KnownPeople(size, Math.max(1, Math.min(most, people - 1, size)));
    scope(() =>
      noGrad(() => {
        const each = identities.reshape([people, size]).double();
        const [mean, deviation] = [each.mean([0]), each.std([0]).add(LEAST_DEVIATION)];
        const standard = each.sub(mean).div(deviation);
        // People are fewer than numbers: the directions come from how alike people are. Eigenvalues ascend.
        const [values, vectors] = op("aten::linalg_eigh")(standard.matmul(standard.t()), "L") as [Tensor, Tensor];
        const [count] = known.directions.shape;
        const [some, of] = [vectors, values.unsqueeze(0)].map((all) => all.narrow(1, people - count, count));
        known.mean.copy_(mean);
        known.deviation.copy_(deviation);
        known.directions.copy_(standard.t().matmul(some).div(of.clampMin(1e-12).sqrt()).t());
      }),
    );
    return known;
  }

  /** The part of identities `[…, L, C]` that lies in the known directions. */
  partOf(identities: Tensor): Tensor {
    return scope(() => {
      const standard = identities.float().reshape([-1, this.mean.shape[0]]).sub(this.mean).div(this.deviation);
      const known = standard.matmul(this.directions.t()).matmul(this.directions);
      return known.mul(this.deviation).add(this.mean).reshape(identities.shape);
    });
  }
}

/** Writes the file beside an encoder. */
export async function saveKnownPeople(
  folder: string,
  { known, encoderHash, preset, metadata, dtype }: WeightsNote & { known: KnownPeople; encoderHash: string },
): Promise<void> {
  const told = { ...metadata, encoderHash };
  await saveWeightsFile(join(folder, KNOWN_FILE), known, { preset, metadata: told, dtype });
}

/** Reads it; nothing where there is none. @throws when it is of another encoder than the one at hand */
export async function loadKnownPeople(folder: string, encoder: { hash: string }): Promise<KnownPeople | undefined> {
  const file = join(folder, KNOWN_FILE);
  if (!existsSync(file)) return undefined;
  const { metadata, tensors } = await openWeightsFile(file, "flow");
  if (metadata.encoderHash !== encoder.hash) {
    throw new Error(`${file}: made for another encoder than the one at hand; take both from one run, or delete it`);
  }
  const directions = tensors.get("directions");
  if (!directions) throw new Error(`${file}: holds no "directions"; delete it, or fetch it again`);
  const known = new KnownPeople(directions.shape[1], directions.shape[0]);
  known.loadStateDict(tensors);
  known.requiresGrad_(false);
  return known;
}
