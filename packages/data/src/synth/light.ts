import type { KeyedRandom } from "../random.ts";
import type { Colour } from "./person.ts";
import { direction, type Vec3 } from "./vector.ts";

/** A broad patch of light in the surroundings. */
export interface Lobe {
  direction: Vec3;
  colour: Colour;
  /** Higher: smaller. */
  sharpness: number;
}

/** A lamp or the sun; it casts shadows. */
export interface Lamp {
  direction: Vec3;
  colour: Colour;
  /** Width of the shadow's edge, decimetres. */
  softness: number;
}

export interface Light {
  name: string;
  sky: Colour;
  ground: Colour;
  horizon: Colour;
  lobes: Lobe[];
  lamps: Lamp[];
}

const times = (colour: Colour, by: number): Colour => [colour[0] * by, colour[1] * by, colour[2] * by];
/** Warm above 0, cool below. */
const white = (warmth: number): Colour =>
  warmth < 0 ? [1 + warmth * 0.28, 1 + warmth * 0.1, 1] : [1, 1 - warmth * 0.16, 1 - warmth * 0.4];

type Drawer = (r: KeyedRandom, warmth: number, side: 1 | -1) => Omit<Light, "name">;

const DRAWERS: Readonly<Record<string, { weight: number; draw: Drawer }>> = {
  "soft indoor": {
    weight: 3,
    draw: (r, warmth) => ({
      sky: times(white(warmth), r.range(0.45, 0.8)),
      ground: times(white(warmth), r.range(0.15, 0.35)),
      horizon: times(white(warmth), r.range(0.28, 0.5)),
      lobes: [0, 1].map(() => ({
        direction: direction(r.range(-90, 90), r.range(5, 70)),
        colour: times(white(warmth), r.range(0.3, 1.1)),
        sharpness: r.range(3, 8),
      })),
      lamps: [
        {
          direction: direction(r.range(-55, 55), r.range(15, 60)),
          colour: times(white(warmth), r.range(0.15, 0.5)),
          softness: r.range(0.1, 0.18),
        },
      ],
    }),
  },
  window: {
    weight: 2.5,
    draw: (r, _warmth, side) => ({
      sky: times(white(0.2), 0.26),
      ground: times(white(-0.2), 0.16),
      horizon: times(white(0), 0.26),
      lobes: [
        {
          direction: direction(side * r.range(30, 85), r.range(0, 40)),
          colour: times(white(r.range(-0.3, 0.4)), r.range(1.3, 2.4)),
          sharpness: r.range(2.5, 5),
        },
        {
          direction: direction(-side * r.range(30, 100), r.range(0, 40)),
          colour: times(white(-0.2), r.range(0.2, 0.5)),
          sharpness: 4,
        },
      ],
      lamps: [
        {
          direction: direction(side * r.range(30, 70), r.range(10, 40)),
          colour: times(white(r.range(-0.2, 0.4)), r.range(0.25, 0.6)),
          softness: 0.15,
        },
      ],
    }),
  },
  sunny: {
    weight: 1.8,
    draw: (r) => ({
      sky: times([0.5, 0.64, 0.92], r.range(0.55, 0.9)),
      ground: times([0.5, 0.45, 0.36], r.range(0.3, 0.6)),
      horizon: times([0.7, 0.75, 0.8], r.range(0.4, 0.6)),
      lobes: [],
      lamps: [
        {
          direction: direction(r.range(-80, 80), r.range(22, 62)),
          colour: times([1, 0.93, 0.82], r.range(0.6, 1.2)),
          softness: r.range(0.02, 0.06),
        },
      ],
    }),
  },
  overcast: {
    weight: 2,
    draw: (r) => ({
      sky: times(white(0.1), r.range(0.9, 1.15)),
      ground: times([0.9, 0.85, 0.75], r.range(0.15, 0.35)),
      horizon: times(white(0.1), r.range(0.55, 0.8)),
      lobes: [],
      lamps: [
        { direction: direction(r.range(-40, 40), r.range(40, 70)), colour: times(white(0), 0.14), softness: 0.2 },
      ],
    }),
  },
  studio: {
    weight: 2,
    draw: (r, warmth, side) => {
      const azimuth = side * r.range(15, 55);
      return {
        sky: [0.15, 0.15, 0.15],
        ground: [0.12, 0.12, 0.12],
        horizon: [0.18, 0.18, 0.18],
        lobes: [
          {
            direction: direction(azimuth, r.range(10, 50)),
            colour: times(white(warmth * 0.4), r.range(1.2, 2)),
            sharpness: r.range(5, 10),
          },
          {
            direction: direction(-azimuth * r.range(0.7, 1.5), r.range(0, 30)),
            colour: times(white(warmth * 0.4), r.range(0.4, 1)),
            sharpness: r.range(4, 8),
          },
        ],
        lamps: [
          {
            direction: direction(azimuth, r.range(20, 50)),
            colour: times(white(0), r.range(0.35, 0.7)),
            softness: r.range(0.06, 0.14),
          },
        ],
      };
    },
  },
  evening: {
    weight: 0.8,
    draw: (r, _warmth, side) => ({
      sky: times([0.45, 0.45, 0.65], r.range(0.25, 0.45)),
      ground: times([0.5, 0.38, 0.28], 0.22),
      horizon: times([0.85, 0.62, 0.45], r.range(0.3, 0.5)),
      lobes: [],
      lamps: [
        {
          direction: direction(side * r.range(10, 70), r.range(4, 22)),
          colour: times([1, 0.7, 0.45], r.range(0.5, 1)),
          softness: r.range(0.04, 0.1),
        },
      ],
    }),
  },
  // Never drawn by weight: scenes ask for it by name.
  backlight: {
    weight: 0,
    draw: (r, _warmth, side) => ({
      sky: times([0.6, 0.66, 0.8], r.range(0.3, 0.4)),
      ground: times([0.5, 0.45, 0.4], 0.25),
      horizon: times([0.8, 0.75, 0.7], r.range(0.22, 0.3)),
      lobes: [],
      lamps: [-1, 1].map((edge) => ({
        direction: direction(180 + edge * r.range(28, 50), r.range(18, 40)),
        colour: times([1, 0.9, 0.72], edge === side ? r.range(2.2, 3) : r.range(0.9, 1.6)),
        softness: 0.05,
      })),
    }),
  },
};

/** Light of one kind, such as "window". */
export function drawLightOf(r: KeyedRandom, name: string): Light {
  const side = r.chance(0.5) ? 1 : -1;
  return { name, ...DRAWERS[name].draw(r, r.spread(0.3, 0.8), side) };
}

/** Draws one of the kinds of light. */
export function drawLight(r: KeyedRandom): Light {
  return drawLightOf(r, r.weighted(Object.entries(DRAWERS).map(([kind, { weight }]) => [kind, weight] as const)));
}

/** Light from one direction of the surroundings, lamps apart. */
export function radiance({ sky, ground, horizon, lobes }: Light, [x, y, z]: Vec3, out: Float64Array): void {
  const up = y > 0 ? y ** 0.6 : 0;
  const down = y < 0 ? (-y) ** 0.6 : 0;
  const level = 1 - up - down;
  for (let c = 0; c < 3; c++) out[c] = sky[c] * up + ground[c] * down + horizon[c] * level;
  for (const { direction: d, colour, sharpness } of lobes) {
    const weight = Math.exp((x * d[0] + y * d[1] + z * d[2] - 1) * sharpness);
    for (let c = 0; c < 3; c++) out[c] += colour[c] * weight;
  }
}

/** Directions spread evenly over the sphere (a spherical Fibonacci lattice). */
export function sphere(count: number): Vec3[] {
  return Array.from({ length: count }, (_, i) => {
    const y = 1 - (2 * (i + 0.5)) / count;
    const angle = i * 2.399963;
    const s = Math.sqrt(1 - y * y);
    return [s * Math.cos(angle), y, s * Math.sin(angle)];
  });
}

/** Mean light on a surface that faces the camera: what exposure is set by. */
export function frontalLight(light: Light): number {
  const out = new Float64Array(3);
  const directions = sphere(64);
  let sum = 0;
  for (const d of directions) {
    if (d[2] <= 0) continue;
    radiance(light, d, out);
    sum += (d[2] * (out[0] + out[1] + out[2]) * 4) / 3 / directions.length;
  }
  for (const { direction: d, colour } of light.lamps) {
    sum += Math.max(0, d[2] * 0.9 + 0.1) * ((colour[0] + colour[1] + colour[2]) / 3) * 0.75;
  }
  return sum;
}
