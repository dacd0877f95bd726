import type { KeyedRandom } from "../random.ts";

/** Expression unit → weight. */
export type Units = Record<string, number>;

const both = (left: string, right: string, weight: number): Units => ({ [left]: weight, [right]: weight });
const slit = (weight: number) => both("eye-left-slit", "eye-right-slit", weight);
const browsUp = (weight: number) => both("eyebrows-left-up", "eyebrows-right-up", weight);
const browsDown = (weight: number) => both("eyebrows-left-down", "eyebrows-right-down", weight);
const closed = both("eye-left-closure", "eye-right-closure", 1);

/** How often each expression is drawn, and how. */
export const EXPRESSIONS: Readonly<Record<string, { weight: number; draw: (r: KeyedRandom) => Units }>> = {
  neutral: { weight: 5, draw: () => ({}) },
  smile: {
    weight: 3.5,
    draw: (r) => {
      const strength = r.range(0.35, 0.85);
      return { "mouth-corner-puller": strength, ...slit(strength * r.range(0.1, 0.35)) };
    },
  },
  "open smile": {
    weight: 2.4,
    draw: (r) => {
      const strength = r.range(0.6, 1);
      return {
        "mouth-corner-puller": strength,
        "mouth-parling": r.range(0.4, 0.9),
        ...slit(strength * r.range(0.15, 0.4)),
        ...browsUp(r.range(0, 0.2)),
      };
    },
  },
  laugh: {
    weight: 1,
    draw: (r) => ({
      "mouth-corner-puller": r.range(0.7, 1),
      "mouth-open": r.range(0.25, 0.55),
      "mouth-parling": r.range(0.2, 0.5),
      ...slit(r.range(0.2, 0.6)),
    }),
  },
  surprise: {
    weight: 0.8,
    draw: (r) => ({
      ...browsUp(r.range(0.5, 1)),
      ...both("eye-left-opened-up", "eye-right-opened-up", r.range(0.4, 1)),
      "mouth-open": r.range(0.15, 0.5),
    }),
  },
  sad: {
    weight: 0.7,
    draw: (r) => ({
      ...both("eyebrows-left-inner-up", "eyebrows-right-inner-up", r.range(0.4, 1)),
      "mouth-depression": r.range(0.3, 0.8),
      ...slit(0.15),
    }),
  },
  angry: {
    weight: 0.8,
    draw: (r) => ({ ...browsDown(r.range(0.5, 1)), "mouth-compression": r.range(0, 0.6), ...slit(r.range(0.1, 0.4)) }),
  },
  disgust: {
    weight: 0.4,
    draw: (r) => ({
      ...both("nose-left-elevation", "nose-right-elevation", r.range(0.4, 0.9)),
      "mouth-upward-retraction": r.range(0.2, 0.6),
      ...browsDown(r.range(0.1, 0.5)),
      ...slit(r.range(0.2, 0.5)),
    }),
  },
  talking: {
    weight: 1.4,
    draw: (r) => ({ "mouth-open": r.range(0.1, 0.35), "mouth-parling": r.range(0, 0.3), ...browsUp(r.range(0, 0.3)) }),
  },
  "eyes closed": { weight: 0.4, draw: (r) => ({ ...closed, "mouth-corner-puller": r.range(0, 0.4) }) },
  squint: { weight: 0.6, draw: (r) => ({ ...slit(r.range(0.3, 0.8)), ...browsDown(r.range(0, 0.5)) }) },
};
