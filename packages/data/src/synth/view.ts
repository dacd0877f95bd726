import { KeyedRandom } from "../random.ts";
import { EXPRESSIONS, type Units } from "./expressions.ts";
import { drawLight, frontalLight, type Light } from "./light.ts";
import type { Colour, Person } from "./person.ts";

export type BackgroundKind = "plain" | "room" | "lights" | "nature" | "street";

/** One picture of a person: everything that changes from picture to picture. Plain data, fit to be interpolated. */
export interface View {
  seed: number;
  /** Degrees; see `headRotation`. */
  yaw: number;
  pitch: number;
  roll: number;
  /** Shares of yaw and pitch that the shoulders follow. */
  body: [number, number];
  expression: string;
  units: Units;
  /** Degrees from straight ahead: to the image's right, and up. */
  gaze: [number, number];
  /** Vertical angle of view, degrees. */
  fov: number;
  /** Half height of the picture over the distance between eyes and mouth. */
  extent: number;
  /** Where the face lies, in half pictures. */
  shift: [number, number];
  light: Light;
  exposure: number;
  background: { kind: BackgroundKind; blur: number; tint: Colour; gain: number };
  clothes: number;
  glasses: boolean;
  /** Grain, in 8-bit steps. */
  noise: number;
  /** Number of a film's frame: each has its own grain before the same background. */
  frame?: number;
  /** Sharpening above 0, blur below. */
  sharpen: number;
}

/** Draws the view of a person's picture; depends on the person's seed and number and the picture's number alone. */
export function drawView(person: Person, image: number): View {
  const r = new KeyedRandom(person.seed, person.identity, image, 0x71e3);
  const mode = r.uniform();
  const yaw = mode < 0.4 ? r.spread(10, 20) : mode < 0.9 ? r.spread(26, 52) : r.range(-60, 60);
  const pitch = r.spread(8, 24) - 1;
  const expression = r.weighted(Object.entries(EXPRESSIONS).map(([name, { weight }]) => [name, weight] as const));
  const light = drawLight(r);
  const albedo = person.macro.origin[0] > 0.5 ? 0.13 : 0.36;
  const target = Math.exp(r.spread(0.16, 0.35)) * 0.56 * (albedo / 0.36) ** -0.38;
  const exposure = (1.7 * target) / Math.max(0.12, frontalLight(light));
  const kind = r.weighted([
    ["plain", 2],
    ["room", 3],
    ["lights", 1.2],
    ["nature", 2],
    ["street", 1.5],
  ] as const);
  const value = r.range(0.25, 1);
  const saturation = r.chance(0.7) ? 0.25 : 0.6;
  return {
    seed: r.below(2 ** 31),
    yaw,
    pitch,
    roll: r.spread(6, 16),
    body: [r.range(0.15, 0.95), r.range(0, 0.5)],
    expression,
    units: EXPRESSIONS[expression].draw(r),
    gaze: r.chance(0.5)
      ? [Math.max(-22, Math.min(22, -yaw * r.range(0.2, 0.8))), Math.max(-12, Math.min(12, -pitch * 0.5))]
      : [r.spread(9, 22), r.spread(5, 10)],
    fov: Math.exp(r.range(Math.log(10), Math.log(34))),
    extent: r.range(2.15, 2.7),
    shift: [r.spread(0.06, 0.12), r.spread(0.06, 0.12)],
    light,
    exposure,
    background: {
      kind,
      blur: kind === "plain" ? 0.1 : r.range(0.01, 0.06),
      tint: [0, 1, 2].map(() => value * (1 - saturation * r.uniform())) as unknown as Colour,
      gain: r.range(0.35, 1.1) / exposure,
    },
    clothes: r.below(person.clothes.length),
    glasses: person.glasses.worn && r.chance(0.9),
    noise: r.chance(0.85) ? r.range(0.2, 2) : r.range(2, 4),
    sharpen: r.range(-0.3, 0.45),
  };
}
