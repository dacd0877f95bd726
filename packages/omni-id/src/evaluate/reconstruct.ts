import { KeyedRandom } from "@omni-id/data";
import { cat, F, noGrad, scope, type Tensor, tensor } from "@omni-id/torch";
import type { Encoder } from "../encoder.ts";
import { type MaskedDecoder, putTokens, takeTokens } from "../masked-decoder.ts";
import { chunk } from "../people/chunk.ts";
import { encodeRows, type SetEncoder } from "../people/encode-rows.ts";
import type { People } from "../people/people.ts";
import type { Pictures } from "../people/picture-source.ts";
import { chooseTokens } from "../pictures/hidden-tokens.ts";
import { patchify, unpatchify } from "../pictures/patches.ts";
import { toUnit } from "../pictures/rgb-batch.ts";
import { faceTokens, toTargetTokens } from "../pictures/target-tokens.ts";
import { type HeldOutTask, INPUT_COUNTS, otherTask } from "./protocol.ts";

/** Whose identity a reconstruction is made from. */
export const CONDITIONS = ["1", "3", "5", "identityRemoved", "otherIdentity"] as const;
export type Condition = (typeof CONDITIONS)[number];

export interface Reconstructions {
  /** Rows of the targets, test by test. */
  targets: number[];
  /** True pictures `[N, 3, S, S]` in [−1, 1]. */
  truth: Tensor;
  /** Face masks, 0 or 1, `[N, 1, S, S]`. */
  masks: Tensor;
  /** What the decoder was shown, grey elsewhere, `[N, 3, S, S]`. */
  visible: Tensor;
  /** What the decoder made of all tokens that touch the face, grey elsewhere; no target pixel is pasted in. */
  made: Record<Condition, Tensor>;
}

export interface ReconstructOptions {
  encoder: Encoder;
  decoder: MaskedDecoder;
  people: People;
  tasks: readonly HeldOutTask[];
  /** Mean ℓ of the training people, `[L, C]`. */
  meanIdentity: Tensor;
  maskRatio: number;
  /** Tokens that the decoder learned to decode of each target: where these are all, it is asked for all here too. */
  tokens: number;
  /** Seed of the masks; every condition sees the same visible patches. */
  seed?: number;
}

const TASKS_AT_ONCE = 22;

/** Identities of all tests at each input count, `[tasks, L, C]`. */
export function encodeTasks(
  encoder: SetEncoder,
  pictures: Pick<Pictures, "maps" | "featuresOf">,
  tasks: readonly Pick<HeldOutTask, "inputs">[],
  inputs: number,
): Tensor {
  const parts = chunk(tasks, 44).map((some) =>
    scope(() =>
      encodeRows(
        encoder,
        pictures,
        some.flatMap((task) => task.inputs.slice(0, inputs)),
        some.length,
      ).float(),
    ),
  );
  return scope(() => cat(parts));
}

/** Reconstructs every target of every test under every condition. */
export function reconstruct(options: ReconstructOptions): Reconstructions {
  const { encoder, people, tasks, meanIdentity } = options;
  return noGrad(() =>
    scope(() => {
      const identities = {} as Record<Condition, Tensor>;
      for (const inputs of INPUT_COUNTS) identities[`${inputs}`] = encodeTasks(encoder, people, tasks, inputs);
      const others = tensor(
        tasks.map((_, task) => otherTask(task, tasks.length)),
        { dtype: "int64" },
      );
      identities.otherIdentity = identities["3"].indexSelect(0, others);
      identities.identityRemoved = meanIdentity.unsqueeze(0).expand(identities["3"].shape);

      const parts = chunk([...tasks.keys()], TASKS_AT_ONCE).map((some) => decodeTasks(some, identities, options));
      const joined = (pick: (part: Reconstructions) => Tensor) => cat(parts.map(pick));
      return {
        targets: parts.flatMap((part) => part.targets),
        truth: joined((part) => part.truth),
        masks: joined((part) => part.masks),
        visible: joined((part) => part.visible),
        made: Object.fromEntries(
          CONDITIONS.map((condition) => [condition, joined((part) => part.made[condition])]),
        ) as Record<Condition, Tensor>,
      };
    }),
  );
}

function decodeTasks(
  numbers: readonly number[],
  identities: Record<Condition, Tensor>,
  { decoder, people, tasks, maskRatio, tokens, seed = 7 }: ReconstructOptions,
): Reconstructions {
  return scope(() => {
    const p = decoder.patchSize;
    const targets = numbers.flatMap((task) => tasks[task].targets);
    const truth = toUnit(people.cropsOf(targets));
    const maskBytes = people.masksOf(targets);
    const patches = patchify(truth, p);
    const all = patches.shape[1];
    const face = faceTokens(maskBytes, p);
    const shown = Math.round(all * (1 - maskRatio));
    const faces = targets.map((_, i) => face.subarray(i * all, (i + 1) * all));
    const touching = Math.max(...faces.map((some) => some.reduce((sum, bit) => sum + bit, 0))) + shown;
    const count = tokens >= all ? all : Math.min(touching, all);
    const chosen = toTargetTokens(
      faces.map((some, i) => chooseTokens(new KeyedRandom(seed, targets[i]), some, { maskRatio, count })),
    );
    const pixels = takeTokens(patches, chosen.index);
    const seen = pixels.mul(chosen.visible.unsqueeze(-1).float());
    const perTask = targets.length / numbers.length;
    const own = tensor(
      numbers.flatMap((task) => Array.from({ length: perTask }, () => task)),
      { dtype: "int64" },
    );
    const made = Object.fromEntries(
      CONDITIONS.map((condition) => {
        const decoded = decoder.forward(pixels, chosen, identities[condition].indexSelect(0, own));
        return [condition, unpatchify(putTokens(decoded, chosen.index, all), p).clamp(-1, 1)];
      }),
    ) as Record<Condition, Tensor>;
    const visible = unpatchify(putTokens(seen, chosen.index, all), p);
    return { targets, truth, masks: maskBytes.unsqueeze(1).float(), visible, made };
  });
}

/** L1 in the face mask of each picture, pixels in 0…1: one number a picture. */
export function pictureL1(made: Tensor, { truth, masks }: Reconstructions): number[] {
  return scope(() => {
    const sum = made.sub(truth).abs().mul(masks).sum([1, 2, 3]);
    return sum.div(masks.sum([1, 2, 3]).mul(3 * 2)).tolist() as number[];
  });
}

/** Feature of each face, the rest of the picture grey, `[N, D]`. */
export function faceFeatures(
  pictures: Tensor,
  masks: Tensor,
  points: Tensor,
  embed: (faces: Tensor, points: Tensor) => Tensor,
): Tensor {
  return noGrad(() =>
    scope(() => {
      const parts = chunk([...Array(pictures.shape[0]).keys()], 64).map((some) =>
        scope(() => {
          const rows = tensor(some, { dtype: "int64" });
          const faces = pictures.indexSelect(0, rows).mul(masks.indexSelect(0, rows));
          return embed(faces, points.indexSelect(0, rows)).float();
        }),
      );
      return cat(parts);
    }),
  );
}

/** Row-wise cosine of `[N, D]` with `[N, D]`. */
export function cosines(a: Tensor, b: Tensor): number[] {
  return scope(
    () =>
      F.normalize(a, { dim: 1 })
        .mul(F.normalize(b, { dim: 1 }))
        .sum([1])
        .tolist() as number[],
  );
}

/** Row-wise euclidean distance of `[N, D]` and `[N, D]`. */
export function distances(a: Tensor, b: Tensor): number[] {
  return scope(() => a.sub(b).square().sum([1]).sqrt().tolist() as number[]);
}
