import { type Groups, SCENE_GROUPS, SCENE_WORDS, type SceneGroup, type SceneWords } from "@omni-id/data";
import { autocast, cat, F, noGrad, preferredPrecision, scope, type Tensor } from "@omni-id/torch";
import type { AttributeNetwork } from "../../backbones/attribute-network.ts";
import { chunk } from "../../people/chunk.ts";
import { rowsOf } from "../generation-protocol.ts";
import type { ScenePrompt } from "./prompts.ts";

/** What the network of attributes sees in drawn scenes. */
export interface SceneReading {
  /** A word of each group, picture by picture. */
  words: Required<SceneWords>[];
  /** `[pictures, 256]`, of length 1. */
  features: Tensor;
}

/** Reads pictures `[N, 3, S, S]` in [−1, 1] of any size. */
export function readScenes(network: AttributeNetwork, imageSize: number, pictures: Tensor): SceneReading {
  return scope(() =>
    noGrad(() => {
      const parts = chunk([...Array(pictures.shape[0]).keys()], 64).map((rows) => {
        const some = rowsOf(pictures, rows);
        const sized = some.shape[3] === imageSize ? some : resized(some, imageSize);
        return autocast({ dtype: "bfloat16", enabled: preferredPrecision() === "bfloat16" }, () =>
          network.features(sized),
        ).float();
      });
      const features = cat(parts);
      const scores = network.scores(features);
      const read = SCENE_GROUPS.map((group) => [group, scores[group].argmax(1).tolist() as number[]] as const);
      const words = parts
        .flatMap((part) => Array.from({ length: part.shape[0] }))
        .map((_, i) => Object.fromEntries(read.map(([group, numbers]) => [group, SCENE_WORDS[group][numbers[i]]])));
      return { words: words as Required<SceneWords>[], features: F.normalize(features, { dim: 1 }) };
    }),
  );
}

const resized = (pictures: Tensor, size: number): Tensor =>
  F.interpolate(pictures, { size: [size, size], mode: "bilinear" });

/** Of each picture the share of what its prompt asks that is read off it; a list a person. Prompts that ask nothing are left out. */
export function following(words: readonly SceneWords[], prompts: readonly ScenePrompt[]): Groups {
  return chunk(words, prompts.length).map((own) =>
    own.flatMap((read, i) => {
      const asked = Object.entries(prompts[i].asks) as [SceneGroup, string][];
      if (asked.length === 0) return [];
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
