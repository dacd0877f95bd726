import { mean } from "@omni-id/data";
import { fivePoints } from "@omni-id/face";
import { noGrad, scope, stack, type Tensor, tensor } from "@omni-id/torch";
import { embedAll } from "./generation-likeness.ts";
import type { Judge } from "./recognisers.ts";

/** Up to this distance dlib's recogniser takes two faces for one person's (its own documentation). */
export const SAME_PERSON = 0.6;

/** Faces with their 68 landmarks, in pixels. */
export interface Faces {
  /** `[N, 3, S, S]` in [−1, 1] */
  pictures: Tensor;
  /** 136 numbers each. */
  landmarks: readonly ArrayLike<number>[];
}

/** Mean distances of the independent recogniser to a person's photos. */
export interface Nearness {
  drawn: number;
  /** Drawn in the same way from somebody else's identity. */
  other: number;
  /** The photos among themselves; absent where there is one. */
  photos?: number;
}

/** How near what is drawn of a person comes to their photos. */
export function nearness(
  judge: Judge,
  { drawn, other, photos }: Record<"drawn" | "other" | "photos", Faces>,
): Nearness {
  return scope(() =>
    noGrad(() => {
      const [mine, strange, real] = [drawn, other, photos].map(({ pictures, landmarks }) =>
        embedAll(judge, pictures, pointsOf(landmarks)).unbind(0),
      );
      const between = (a: readonly Tensor[], b: readonly Tensor[]) =>
        a.flatMap((one) => b.map((two) => judge.compare(one.unsqueeze(0), two.unsqueeze(0))[0]));
      const among = real.flatMap((one, i) => between([one], real.slice(i + 1)));
      return {
        drawn: mean(between(mine, real)),
        other: mean(between(strange, real)),
        ...(among.length > 0 && { photos: mean(among) }),
      };
    }),
  );
}

const pointsOf = (landmarks: readonly ArrayLike<number>[]): Tensor =>
  stack(landmarks.map((points) => tensor(fivePoints(points), { shape: [5, 2], dtype: "float32" })));

/** The same in a sentence. @param whose such as "your photos" */
export function describeNearness({ drawn, other, photos }: Nearness, whose: string): string {
  const same = drawn <= SAME_PERSON;
  const verdict = same ? "so to it this is the same person" : "so to it this is somebody else";
  const among = photos === undefined ? "" : `${whose} among themselves ${photos.toFixed(2)}, `;
  return (
    `The drawn person stands ${drawn.toFixed(2)} from ${whose} by the independent recogniser, which calls two faces one ` +
    `person up to ${SAME_PERSON.toFixed(2)}, ${verdict} (${among}drawn from somebody else's identity ${other.toFixed(2)}).`
  );
}
