import type { Groups } from "@omni-id/data";
import { autocast, cat, noGrad, preferredPrecision, scope, type Tensor } from "@omni-id/torch";
import { asClipSees } from "../../backbones/clip.ts";
import { chunk } from "../../people/chunk.ts";
import { resized } from "../../pictures/resized.ts";
import { clipIds, type LoadedClip } from "../../weights/clip.ts";
import { rowsOf } from "../generation-protocol.ts";
import type { ScenePrompt } from "./prompts.ts";

/** How near pictures come to their prompts in a CLIP's space, a list a person. */
export interface ImageText {
  /** Cosine of a picture and its prompt. */
  cosine: Groups;
  /** 1 where a picture's own prompt is nearer to it than every other one, else 0. */
  first: Groups;
}

/**
 * The image–text score of pictures `[people · prompts, 3, S, S]` in [−1, 1], person by person (CLIPScore, Hessel et al.
 * 2021, without its factor).
 */
export function imageText(clip: LoadedClip, pictures: Tensor, prompts: readonly ScenePrompt[]): ImageText {
  return scope(() =>
    noGrad(() => {
      const enabled = preferredPrecision() === "bfloat16";
      const seen = chunk([...Array(pictures.shape[0]).keys()], 64).map((rows) => {
        const sized = asClipSees(resized(rowsOf(pictures, rows), clip.imageSize));
        return autocast({ dtype: "bfloat16", enabled }, () => clip.model.images(sized)).float();
      });
      const texts = clip.model.texts(
        clipIds(
          clip,
          prompts.map(({ text }) => text),
        ),
      );
      const near = cat(seen).matmul(texts.float().t()).tolist() as number[][];
      const own = near.map((row, i) => row[i % prompts.length]);
      return {
        cosine: chunk(own, prompts.length),
        first: chunk(
          near.map((row, i) => Number(row.every((other, j) => j === i % prompts.length || other < own[i]))),
          prompts.length,
        ),
      };
    }),
  );
}
