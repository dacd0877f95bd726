import { KeyedRandom } from "../random.ts";
import { HEAD_SHAPES, SHAPE_BIAS, SHAPE_PAIRS } from "./face-shape.ts";
import { ageDial, type Macro } from "./morph.ts";
import type { Vec3 } from "./vector.ts";

export type Colour = Vec3; // linear light

export interface SkinTraits {
  /** Factor on the mixed base skin, by channel. */
  tone: Colour;
  redness: number;
  mottle: number;
  freckles: number;
  /** Place on the base face (x, y) and radius, decimetres. */
  moles: [number, number, number][];
  darkCircles: number;
  lipColour: Colour;
  /** How much lipstick. */
  lipstick: number;
  blush: number;
  /** Stubble to a painted beard. */
  beard: number;
  beardColour: Colour;
  /** Painted hair of the scalp: 0 bald … 1. */
  scalp: number;
  /** How far the hairline has gone back, decimetres. */
  hairline: number;
  oily: number;
  /** Offset into the noise. */
  noise: Vec3;
}

/** One synthetic person: everything that does not change from picture to picture. Plain data. */
export interface Person {
  seed: number;
  identity: number;
  sex: "female" | "male";
  years: number;
  origin: string;
  macro: Macro;
  /** Target name → weight. */
  shape: Readonly<Record<string, number>>;
  skin: SkinTraits;
  hair: { style: string | null; flip: boolean; colour: Colour; name: string; gloss: number };
  brows: { style: string; colour: Colour; gain: number };
  eyes: { texture: string; name: string; saturation: number; value: number; sclera: Colour };
  beardStyle: string | null;
  moustache: boolean;
  lashes: string;
  teeth: { style: string; tint: Colour };
  glasses: { worn: boolean; tint: Colour };
  clothes: { style: string; tint: Colour }[];
}

const HAIR_COLOURS: Readonly<Record<string, Colour>> = {
  black: [0.011, 0.0095, 0.009],
  "dark brown": [0.03, 0.018, 0.011],
  brown: [0.075, 0.042, 0.023],
  "light brown": [0.16, 0.095, 0.05],
  "dark blond": [0.25, 0.155, 0.075],
  blond: [0.43, 0.275, 0.13],
  red: [0.2, 0.062, 0.022],
  grey: [0.26, 0.255, 0.25],
  white: [0.58, 0.57, 0.55],
};
const MALE_HAIR: [string | null, number][] = [
  ["short01", 3],
  ["short02", 2.4],
  ["short04", 3],
  [null, 3],
  ["ponytail01", 0.25],
  ["long01", 0.15],
];
const FEMALE_HAIR: [string | null, number][] = [
  ["long01", 2],
  ["ponytail01", 2],
  ["Braid01", 1],
  ["curly", 1],
  ["Wig_bun_blonde", 1.4],
  ["junglebookhair", 1.2],
  ["short01", 0.5],
  ["short04", 0.4],
  [null, 0.15],
];
const BROWS = {
  female: ["001", "002", "003", "004", "005", "006", "007", "010", "011"],
  male: ["008", "009", "012", "003", "004", "010", "002", "011"],
};
const CLOTHES = {
  male: [
    "male_casualsuit01",
    "male_casualsuit02",
    "male_casualsuit03",
    "male_casualsuit04",
    "male_elegantsuit01",
    "male_worksuit01",
  ],
  female: [
    "female_casualsuit01",
    "female_casualsuit02",
    "female_elegantsuit01",
    "female_sportsuit01",
    "VNeckTop",
    "Tank_Top_01",
  ],
};
const LIPSTICKS: Colour[] = [
  [0.42, 0.09, 0.09],
  [0.34, 0.06, 0.1],
  [0.5, 0.16, 0.15],
  [0.48, 0.2, 0.17],
  [0.36, 0.1, 0.16],
];
const FRAMES: Colour[] = [
  [0.02, 0.02, 0.02],
  [0.12, 0.06, 0.03],
  [0.25, 0.25, 0.27],
  [0.2, 0.03, 0.03],
  [0.03, 0.05, 0.15],
];
const EYE_NAMES: Readonly<Record<string, string>> = {
  brown: "brown",
  brownlight: "hazel",
  green: "green",
  grey: "grey",
  blue: "blue",
  lightblue: "blue",
  bluegreen: "green",
};

const times = (colour: Colour, by: number): Colour => [colour[0] * by, colour[1] * by, colour[2] * by];
const mix = (a: Colour, b: Colour, t: number): Colour => [
  a[0] + (b[0] - a[0]) * t,
  a[1] + (b[1] - a[1]) * t,
  a[2] + (b[2] - a[2]) * t,
];

/** Draws a person; the same (seed, identity) is the same person on every machine. */
export function drawPerson(seed: number, identity: number): Person {
  const r = new KeyedRandom(seed, identity, 0x9e50);
  const male = r.chance(0.5);
  const sex = male ? "male" : "female";
  const years = Math.round(r.chance(0.6) ? r.range(18, 42) : r.range(30, 76));
  const { origin, dominant } = drawOrigin(r);
  const macro: Macro = {
    age: ageDial(years),
    gender: male ? 1 - Math.abs(r.spread(0.12, 0.35)) : Math.abs(r.spread(0.12, 0.35)),
    weight: Math.max(0.08, Math.min(0.95, 0.5 + r.normal() * 0.2)),
    muscle: Math.max(0.1, Math.min(0.9, 0.5 + r.normal() * 0.16)),
    height: 0.5,
    origin,
  };
  const shape = drawShape(r, dominant);
  const hair = drawHair(r, { male, years, origin, dominant });
  const beard =
    male && years > 19
      ? r.weighted([
          [0, 4],
          [0.25, 3],
          [0.5, 2],
          [0.8, 1.2],
          [1, 0.7],
        ] as const)
      : 0;
  const beardStyle = beard >= 0.8 && r.chance(0.6) ? "Full_beard" : null;
  const eyes = drawEyes(r, origin);
  return {
    seed,
    identity,
    sex,
    years,
    origin: Math.max(...origin) > 0.75 ? ["african", "asian", "caucasian"][dominant] : "mixed",
    macro,
    shape,
    skin: drawSkin(r, { male, years, origin, beard, hair }),
    hair,
    brows: {
      style: `eyebrow${r.pick(BROWS[sex])}`,
      colour: times(hair.colour, Math.min(0.65, 0.16 / Math.max(...hair.colour))),
      gain: r.range(0.8, 1.5) * (male ? 1.15 : 1),
    },
    eyes,
    beardStyle,
    moustache: male && (beardStyle ? r.chance(0.8) : r.chance(0.08)),
    lashes: male ? "eyelashes02" : r.pick(["eyelashes02", "eyelashes03", "eyelashes04"]),
    teeth: {
      style: r.pick(["Teeth_Base", "Teeth_Shape01", "Teeth_Shape02", "Teeth_Shape03"]),
      tint: [0.68, 0.66, 0.6],
    },
    glasses: { worn: r.chance(0.14), tint: r.pick(FRAMES) },
    clothes: [0, 1, 2].map(() => ({ style: r.pick(CLOTHES[sex]), tint: drawTint(r) })),
  };
}

function drawOrigin(r: KeyedRandom): { origin: Macro["origin"]; dominant: number } {
  const dominant = r.below(3);
  const share = r.chance(0.7) ? r.range(0.82, 1) : r.range(0.4, 0.75);
  const split = r.uniform();
  const origin: [number, number, number] = [0, 0, 0];
  origin[dominant] = share;
  origin[(dominant + 1) % 3] = (1 - share) * split;
  origin[(dominant + 2) % 3] = (1 - share) * (1 - split);
  return { origin, dominant };
}

function drawShape(r: KeyedRandom, dominant: number): Record<string, number> {
  const shape: Record<string, number> = {};
  const spread = r.range(0.6, 0.95);
  const set = (less: string, more: string, value: number) => {
    shape[value < 0 ? less : more] = Math.abs(value);
  };
  for (const [less, more, deviation] of SHAPE_PAIRS) {
    const value = r.spread(deviation * spread, 0.95) + (SHAPE_BIAS[less] ?? 0);
    if (!less.includes("#")) {
      set(less, more, value);
      continue;
    }
    for (const side of ["l", "r"]) {
      set(less.replace("#", side), more.replace("#", side), value + r.spread(0.05, 0.12));
    }
  }
  for (const head of HEAD_SHAPES) if (r.chance(0.3)) shape[`head/head-${head}`] = r.uniform() * 0.65;
  const epicanthus = dominant === 1 ? r.range(-0.1, 0.35) : r.spread(0.15, 0.4);
  for (const side of ["l", "r"]) set(`eyes/${side}-eye-epicanthus-out`, `eyes/${side}-eye-epicanthus-in`, epicanthus);
  return shape;
}

function drawHair(
  r: KeyedRandom,
  { male, years, origin, dominant }: { male: boolean; years: number; origin: Macro["origin"]; dominant: number },
): Person["hair"] {
  const dark = origin[0] + origin[1] > 0.55;
  let name: string = dark
    ? r.weighted([
        ["black", 6],
        ["dark brown", 2.2],
        ["brown", 0.4],
        ["blond", 0.12],
        ["red", 0.1],
      ] as const)
    : r.weighted([
        ["black", 1],
        ["dark brown", 2.4],
        ["brown", 2.4],
        ["light brown", 1.6],
        ["dark blond", 1.4],
        ["blond", 1.3],
        ["red", 0.6],
      ] as const);
  let colour = times(HAIR_COLOURS[name], Math.exp(r.spread(0.2, 0.4)));
  const greying = years > 42 ? Math.min(0.95, ((years - 42) / 30) * r.range(0.3, 1.3)) : 0;
  if (greying > 0.15 && (male || r.chance(0.6))) {
    const grey = r.chance(0.35) ? "white" : "grey";
    colour = mix(colour, HAIR_COLOURS[grey], greying);
    if (greying > 0.45) name = greying > 0.75 ? grey : "grey";
  }
  let style = r.weighted(male ? MALE_HAIR : FEMALE_HAIR);
  if (dominant === 0 && r.chance(0.35)) style = male && r.chance(0.6) ? null : "afro01";
  return { style, flip: r.chance(0.5), colour, name, gloss: r.range(0.4, 1.3) };
}

function drawSkin(
  r: KeyedRandom,
  person: { male: boolean; years: number; origin: Macro["origin"]; beard: number; hair: Person["hair"] },
): SkinTraits {
  const { male, years, origin, beard, hair } = person;
  const lightness =
    origin[0] > 0.5 ? r.range(-0.1, 0.75) : origin[1] > 0.5 ? r.range(-0.35, 0.02) : r.range(-0.32, 0.06);
  const luminance = Math.exp(r.spread(0.18, 0.4) + lightness);
  const warmth = r.spread(0.05, 0.11);
  const makeup = !male && r.chance(0.5) ? r.range(0.2, 1) : 0;
  const moles = r.chance(0.55) ? 1 + r.below(4) : 0;
  const bald = male && hair.style === null && years > 35 && r.chance(0.4);
  return {
    tone: [luminance * (1 + warmth * 0.35), luminance, luminance * (1 - warmth)],
    redness: r.range(0.1, 1) * (origin[2] * 0.9 + 0.35),
    mottle: r.range(0.5, 1.4),
    freckles: origin[2] > 0.5 && r.chance(hair.name === "red" ? 0.7 : 0.2) ? r.range(0.25, 0.9) : 0,
    moles: Array.from({ length: moles }, () => [r.range(-0.55, 0.55), r.range(6.3, 7.9), r.range(0.012, 0.026)]),
    darkCircles: Math.max(0, r.spread(0.35, 0.9)) * 0.7 + (years > 45 ? 0.15 : 0),
    lipColour: r.pick(LIPSTICKS),
    lipstick: makeup * r.range(0.3, 0.8),
    blush: makeup > 0.3 ? r.range(0, 0.5) : 0,
    beard: beard * 0.85,
    beardColour: times(hair.colour, 0.75),
    scalp: bald ? r.range(0.02, 0.15) : hair.style === null ? r.range(0.72, 0.98) : 0.9,
    hairline: r.spread(0.06, 0.14) + (male && years > 35 ? r.range(0, 0.16) : 0),
    oily: r.range(0, 0.8),
    noise: [r.range(-50, 50), r.range(-50, 50), r.range(-50, 50)],
  };
}

function drawEyes(r: KeyedRandom, origin: Macro["origin"]): Person["eyes"] {
  const texture =
    origin[0] + origin[1] > 0.6
      ? r.weighted([
          ["brown", 8],
          ["brownlight", 1],
        ] as const)
      : r.weighted([
          ["brown", 2.2],
          ["brownlight", 2],
          ["green", 1],
          ["grey", 0.9],
          ["blue", 1.3],
          ["lightblue", 0.8],
          ["bluegreen", 0.6],
        ] as const);
  return {
    texture,
    name: EYE_NAMES[texture],
    saturation: texture === "brown" ? r.range(0.35, 0.75) : r.range(0.5, 1.05),
    value: r.range(0.75, 1.5),
    sclera: [r.range(0.9, 1.02), r.range(0.86, 0.98), r.range(0.8, 0.96)],
  };
}

function drawTint(r: KeyedRandom): Colour {
  const hue = r.uniform();
  const saturation = r.chance(0.45) ? r.range(0, 0.15) : r.range(0.2, 0.9);
  const value = r.chance(0.3) ? r.range(0.02, 0.15) : r.range(0.15, 0.95);
  const channel = (i: number) => {
    const wave = Math.max(0, Math.min(1, Math.abs(((hue + i / 3) % 1) * 6 - 3) - 1));
    return value * (1 - saturation + saturation * wave);
  };
  return [channel(0), channel(1), channel(2)];
}
