import { HELD_OUT_WORDS } from "./held-out.ts";
import { LIGHT_WORDS } from "./scene-caption.ts";
import {
  breaks,
  COLOURS,
  EXPRESSION_WORDS,
  FRAMINGS,
  GARMENTS,
  HATS,
  type HeldOut,
  PATTERNS,
  PLACES,
  type Place,
  type SceneTruth,
} from "./truth.ts";

/** What a sentence can say of a person in a scene, group by group: of each group a picture shows one word. */
export const SCENE_WORDS = {
  garment: GARMENTS,
  garmentColour: COLOURS,
  pattern: PATTERNS,
  hat: HATS,
  hatColour: COLOURS,
  glasses: ["none", "glasses"],
  expression: Object.keys(EXPRESSION_WORDS),
  place: Object.keys(PLACES),
  light: Object.keys(LIGHT_WORDS),
  hairLength: ["bald", "very short", "short", "medium-length", "long"],
  hairColour: ["black", "dark brown", "brown", "light brown", "dark blond", "blond", "red", "grey", "white"],
} as const satisfies Record<string, readonly string[]>;

export type SceneGroup = keyof typeof SCENE_WORDS;
export const SCENE_GROUPS = Object.keys(SCENE_WORDS) as readonly SceneGroup[];
/** A word of some groups; a group that a sentence says nothing of is absent. */
export type SceneWords = Partial<Record<SceneGroup, string>>;

const GARMENT_WORDS = new RegExp(
  `(?:(${either(COLOURS)}) )?(?:(${either(PATTERNS.filter((word) => word !== "plain"))}) )?(${either(GARMENTS)})`,
);
const HAT_WORDS = new RegExp(`(?:(${either(COLOURS)}) )?(${either(HATS.filter((hat) => hat !== "none"))})`);
const HAIR_WORDS = new RegExp(`(?:(${either(SCENE_WORDS.hairLength)}) )?(?:(${either(SCENE_WORDS.hairColour)}) )?hair`);
const NOTHING = (what: string) => new RegExp(` (?:no|without)(?: an?)? ${what} `);
/** A place by the word that no other sentence has. */
const PLACE_WORDS: readonly (readonly [string, RegExp])[] = SCENE_WORDS.place.map((place) => [
  place,
  new RegExp(place === "city at night" ? " city " : place === "snow" ? " snow(?:y)? " : ` ${place} `),
]);

/**
 * What a sentence says of a scene, in the words of {@link SCENE_WORDS}; reads what `describeScene` writes, and what people
 * write in these words.
 * @param whole whether what it leaves out is not there either: the fullest caption of a rendered scene names every hat,
 * pair of glasses and pattern
 */
export function readSceneWords(sentence: string, { whole = false }: { whole?: boolean } = {}): SceneWords {
  const text = ` ${sentence.toLowerCase().replaceAll(/[^\p{L}\p{N}-]+/gu, " ")} `;
  const light = Object.entries(LIGHT_WORDS).find(([, word]) => text.includes(` ${word} `));
  // "window light" is no window.
  const rest = light ? text.replace(` ${light[1]} `, " ") : text;
  const place = PLACE_WORDS.find(([, words]) => words.test(rest))?.[0];
  const garment = GARMENT_WORDS.exec(rest);
  const hatless = NOTHING("hat").test(rest);
  const hat = hatless ? null : HAT_WORDS.exec(rest);
  const hair = HAIR_WORDS.exec(rest);
  const expression = / (?:closed eyes|eyes closed) /.test(rest)
    ? "eyes closed"
    : Object.entries(EXPRESSION_WORDS).find(([, word]) => rest.includes(` ${word} `))?.[0];
  const glasses = NOTHING("glasses").test(rest) ? "none" : / glasses /.test(rest) ? "glasses" : undefined;
  const said: Record<SceneGroup, string | undefined> = {
    garment: garment?.[3],
    garmentColour: garment?.[1],
    pattern: garment?.[2] ?? (garment && whole ? "plain" : undefined),
    hat: hat?.[2] ?? (hatless || whole ? "none" : undefined),
    hatColour: hat?.[1],
    glasses: glasses ?? (whole ? "none" : undefined),
    expression,
    place,
    light: light?.[0],
    hairLength: / bald /.test(rest) ? "bald" : hair?.[1],
    hairColour: hair?.[2],
  };
  return Object.fromEntries(Object.entries(said).filter(([, word]) => word !== undefined));
}

/** Where a sentence wants the head, "close-up" and "on the left"; what it says nothing of is absent. */
export function readFraming(sentence: string): Partial<Pick<SceneTruth, "framing" | "side">> {
  const text = sentence.toLowerCase();
  const framing = FRAMINGS.find(([name]) => text.includes(name))?.[0];
  const side = / (?:on|to) the (left|right)\b/.exec(text)?.[1] as "left" | "right" | undefined;
  return { ...(framing && { framing }), ...(side && { side }) };
}

/** Whether words hold a combination that no training picture shows. */
export function neverTogether(words: SceneWords, rules: HeldOut = HELD_OUT_WORDS): boolean {
  const setting = words.place && PLACES[words.place as Place];
  return breaks({ ...words, glasses: words.glasses === "glasses", setting }, rules);
}

/** The longer words first: a sun hat is no hat. */
function either(words: readonly string[]): string {
  const longest = [...words].sort((a, b) => b.length - a.length);
  return `(?<= )(?:${longest.join("|")})(?= )`;
}
