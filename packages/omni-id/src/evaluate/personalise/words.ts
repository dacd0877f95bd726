import { type Groups, SCENE_GROUPS, SCENE_WORDS, type SceneGroup, type SceneWords } from "@omni-id/data";
import { DLIB_TEMPLATE } from "@omni-id/face";
import { autocast, cat, F, noGrad, preferredPrecision, scope, type Tensor, tensor } from "@omni-id/torch";
import { type AttributeNetwork, FACE_GROUPS } from "../../backbones/attribute-network.ts";
import { chunk } from "../../people/chunk.ts";
import { resized } from "../../pictures/resized.ts";
import type { FoundFace } from "../generated-faces.ts";
import { rowsOf } from "../generation-protocol.ts";
import type { ScenePrompt } from "./prompts.ts";

/** What the network of attributes sees in drawn scenes. */
export interface SceneReading {
  /** A word of each group, picture by picture; none of the face's where there is no face. */
  words: SceneWords[];
  /** `[pictures, 384]`, of length 1. */
  features: Tensor;
}

/** Reads pictures `[N, 3, S, S]` in [−1, 1] of any size. @param faces what the detector found in each */
export function readScenes(
  { network, imageSize }: { network: AttributeNetwork; imageSize: number },
  pictures: Tensor,
  faces: readonly (FoundFace | undefined)[],
): SceneReading {
  const side = pictures.shape[3];
  // Where no face is, none of its words is told; the network wants some place all the same.
  const anywhere = DLIB_TEMPLATE.map((value) => (value * side) / 150);
  return scope(() =>
    noGrad(() => {
      const points = tensor(
        faces.map((face) => Array.from(face?.points ?? anywhere, (value) => (value * imageSize) / side)),
        { dtype: "float32" },
      ).view([-1, 5, 2]);
      const parts = chunk([...Array(pictures.shape[0]).keys()], 64).map((rows) => {
        const some = rowsOf(pictures, rows);
        const sized = resized(some, imageSize);
        return autocast({ dtype: "bfloat16", enabled: preferredPrecision() === "bfloat16" }, () =>
          network.features(sized, rowsOf(points, rows)),
        ).float();
      });
      const features = cat(parts);
      const scores = network.scores(features);
      const read = SCENE_GROUPS.map((group) => [group, scores[group].argmax(1).tolist() as number[]] as const);
      const words = faces.map((face, i) => {
        const seen = read.filter(([group]) => face || !FACE_GROUPS.includes(group));
        return Object.fromEntries(seen.map(([group, numbers]) => [group, SCENE_WORDS[group][numbers[i]]]));
      });
      return { words, features: F.normalize(features, { dim: 1 }) };
    }),
  );
}

/**
 * Of each picture the share of what its prompt asks that is read off it; a list a person. Prompts that ask nothing are left out,
 * and those that are not `wanted`.
 */
export function following(
  words: readonly SceneWords[],
  prompts: readonly ScenePrompt[],
  wanted: (prompt: ScenePrompt) => boolean = () => true,
): Groups {
  return chunk(words, prompts.length).map((own) =>
    own.flatMap((read, i) => {
      const asked = Object.entries(prompts[i].asks) as [SceneGroup, string][];
      if (asked.length === 0 || !wanted(prompts[i])) return [];
      return [asked.filter(([group, word]) => read[group] === word).length / asked.length];
    }),
  );
}

/** The same group by group, over all pictures whose prompts ask for one of its words. */
export function followingByGroup(
  words: readonly SceneWords[],
  prompts: readonly ScenePrompt[],
): Partial<Record<SceneGroup, number>> {
  const shares = SCENE_GROUPS.flatMap((group) => {
    const asked = words.flatMap((read, i) => {
      const word = prompts[i % prompts.length].asks[group];
      return word === undefined ? [] : [read[group] === word];
    });
    return asked.length === 0 ? [] : [[group, asked.filter(Boolean).length / asked.length] as const];
  });
  return Object.fromEntries(shares);
}

/** 1 − cosine of what is read off two pictures of one prompt and person by other noise; a list a person. */
export function diversity(one: SceneReading, other: SceneReading, prompts: number): Groups {
  const apart = scope(() => (one.features.mul(other.features).sum([1]).tolist() as number[]).map((same) => 1 - same));
  return chunk(apart, prompts);
}
