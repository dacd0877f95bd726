/** How pictures are drawn where nothing else is said, in Node and in a browser. */

/** Purpose of the generator that noise is drawn with; its key is the seed, then the number of the picture. */
export const NOISE = 31;

/** Steps of the solver. */
export const STEPS = 20;

/** Guidance for identities of real photographs, which the base has never met: more of it tears their faces. */
export const REAL_GUIDANCE = 1.5;

/**
 * From this strangeness on an identity is of pictures of another kind than those that were trained on (see
 * `EncoderBundle.strangeness`). By single pictures of people never seen: of 704 rendered ones about one in eighty passes
 * it, of 230 press and 21 studio photographs all do (the least strange ones at 1.22 and 1.19, the middle one at 1.37).
 */
export const UNFAMILIAR = 1.18;

/** Whether pictures are of the kind that was trained on, by their strangeness; undefined where that cannot be told. */
export function kindOfPictures(strangeness: number | undefined): "trained" | "other" | undefined {
  if (strangeness === undefined) return undefined;
  return strangeness > UNFAMILIAR ? "other" : "trained";
}

/** Guidance where nobody names one. @param strangeness of the identity; undefined where it cannot be told */
export function guidanceFor(strangeness: number | undefined, usual: number): number {
  return kindOfPictures(strangeness) === "other" ? Math.min(REAL_GUIDANCE, usual) : usual;
}

/** @throws for a number of pictures that cannot be drawn */
export function checkCount(count: number): void {
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`${count} pictures: ask for 1 or more`);
}
