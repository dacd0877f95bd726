/** How pictures are drawn where nothing else is said, in Node and in a browser. */

/** Purpose of the generator that noise is drawn with; its key is the seed, then the number of the picture. */
export const NOISE = 31;

/** Steps of the solver. */
export const STEPS = 20;

/** Guidance for identities of real photographs, which the base has never met: more of it tears their faces. */
export const REAL_GUIDANCE = 1.5;

/** @throws for a number of pictures that cannot be drawn */
export function checkCount(count: number): void {
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`${count} pictures: ask for 1 or more`);
}
