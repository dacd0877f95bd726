import type { KeyedRandom } from "../../random.ts";

/** What a sentence can say of a scene, and what was drawn: plain words, so that combinations of them can be held out. */
export interface SceneTruth {
  garment: Garment;
  garmentColour: ColourName;
  pattern: Pattern;
  hat: Hat;
  /** "none" without a hat. */
  hatColour: ColourName | "none";
  glasses: boolean;
  expression: SceneExpression;
  place: Place;
  setting: "indoors" | "outdoors";
  light: SceneLight;
  framing: "close-up" | "head and shoulders" | "half figure";
  /** Where in the picture the person stands. */
  side: "left" | "centre" | "right";
}

/** Words that never come together: a picture that fits every entry of a rule is held out. */
export type HeldOutRule = Partial<SceneTruth>;
export type HeldOut = readonly HeldOutRule[];

/** Whether a scene has a combination that is held out. */
export function breaks(truth: { [K in keyof SceneTruth]?: string | boolean | undefined }, rules: HeldOut): boolean {
  return rules.some((rule) => Object.entries(rule).every(([key, value]) => truth[key as keyof SceneTruth] === value));
}

export const GARMENTS = ["shirt", "jumper", "t-shirt", "jacket", "suit", "top"] as const;
export type Garment = (typeof GARMENTS)[number];
export const PATTERNS = ["plain", "striped", "checked", "dotted"] as const;
export type Pattern = (typeof PATTERNS)[number];
export const HATS = ["none", "hat", "sun hat", "beanie", "helmet"] as const;
export type Hat = (typeof HATS)[number];
export const COLOURS = [
  "red",
  "orange",
  "yellow",
  "green",
  "blue",
  "purple",
  "pink",
  "white",
  "grey",
  "black",
  "brown",
] as const;
export type ColourName = (typeof COLOURS)[number];
export const EXPRESSION_WORDS = {
  neutral: "neutral",
  smile: "smiling",
  laugh: "laughing",
  surprise: "surprised",
  sad: "sad",
  angry: "angry",
  "eyes closed": "eyes closed",
} as const;
export type SceneExpression = keyof typeof EXPRESSION_WORDS;
export const PLACES = {
  "brick wall": "outdoors",
  forest: "outdoors",
  beach: "outdoors",
  street: "outdoors",
  mountains: "outdoors",
  garden: "outdoors",
  snow: "outdoors",
  "city at night": "outdoors",
  office: "indoors",
  bookshelf: "indoors",
  kitchen: "indoors",
  curtain: "indoors",
  window: "indoors",
  "plain wall": "indoors",
} as const;
export type Place = keyof typeof PLACES;
/** Lights that suit a setting: names of `drawLightOf`. */
const LIGHTS = {
  indoors: ["soft indoor", "window", "studio", "evening", "backlight"],
  outdoors: ["sunny", "overcast", "evening", "backlight"],
} as const;
export type SceneLight = (typeof LIGHTS)["indoors" | "outdoors"][number];

/** How near a person comes, and where in the picture: each with how often. */
export const FRAMINGS = [
  ["close-up", 1.5],
  ["head and shoulders", 2],
  ["half figure", 1],
] as const;
export const SIDES = [
  ["left", 1],
  ["centre", 2],
  ["right", 1],
] as const;

/** Suits come in sober colours. */
const SUIT_COLOURS = ["grey", "black", "blue", "brown"] as const;
const keysOf = <K extends string>(record: Readonly<Record<K, unknown>>) => Object.keys(record) as K[];

export interface TruthOptions {
  heldOut: HeldOut;
  /** Draws scenes that the rules hold out, and no other: what generalisation is measured on. */
  only?: boolean;
}

const TRIES = 20_000;

/**
 * Draws what a scene shows. No truth has a combination that is held out; with `only` every one has.
 * @throws when the rules leave nothing, or hold nothing out
 */
export function drawTruth(r: KeyedRandom, { heldOut, only = false }: TruthOptions): SceneTruth {
  for (let i = 0; i < TRIES; i++) {
    const truth = anyTruth(r);
    if (breaks(truth, heldOut) === only) return truth;
  }
  throw new Error(
    only
      ? `no scene in ${TRIES} has a held-out combination: check the words of the rules`
      : `all of ${TRIES} scenes have a held-out combination: the rules leave nothing to draw`,
  );
}

function anyTruth(r: KeyedRandom): SceneTruth {
  const garment = r.weighted([
    ["shirt", 2],
    ["jumper", 2],
    ["t-shirt", 2],
    ["jacket", 1.2],
    ["suit", 0.8],
    ["top", 1],
  ] as const);
  const sober = garment === "suit";
  const garmentColour = sober ? r.pick(SUIT_COLOURS) : r.pick(COLOURS);
  const pattern = sober || garment === "jacket" || r.chance(0.5) ? "plain" : r.pick(PATTERNS.slice(1));
  const hat = r.chance(0.35) ? r.pick(HATS.slice(1)) : "none";
  const place = r.pick(keysOf(PLACES));
  const setting = PLACES[place];
  return {
    garment,
    garmentColour,
    pattern,
    hat,
    hatColour: hat === "none" ? "none" : r.pick(COLOURS),
    glasses: r.chance(0.3),
    expression: r.chance(0.3) ? "neutral" : r.pick(keysOf(EXPRESSION_WORDS)),
    place,
    setting,
    light: place === "city at night" ? "evening" : r.pick(LIGHTS[setting]),
    framing: r.weighted(FRAMINGS),
    side: r.weighted(SIDES),
  };
}
