import { KeyedRandom } from "../../random.ts";
import { hairOf } from "../caption.ts";
import type { Person } from "../person.ts";
import type { SceneView } from "./scene-view.ts";
import { EXPRESSION_WORDS, type Place, type SceneLight, type SceneTruth } from "./truth.ts";

const WHERE: Readonly<Record<Place, readonly string[]>> = {
  "brick wall": ["in front of a brick wall", "before a brick wall"],
  forest: ["in a forest", "among the trees of a forest"],
  beach: ["on a beach", "at the beach by the sea"],
  street: ["in a street", "on a street with houses"],
  mountains: ["in the mountains", "in front of mountains"],
  garden: ["in a garden", "in a garden with flowers"],
  snow: ["in the snow", "in a snowy landscape"],
  "city at night": ["in a city at night", "in front of city lights at night"],
  office: ["in an office", "at the office"],
  bookshelf: ["in front of a bookshelf", "before a bookshelf"],
  kitchen: ["in a kitchen", "in the kitchen"],
  curtain: ["in front of a red curtain", "before a red curtain"],
  window: ["in front of a window", "before a window"],
  "plain wall": ["in front of a plain wall", "before a plain wall"],
};
/** What a sentence calls a light. */
export const LIGHT_WORDS: Readonly<Record<SceneLight, string>> = {
  "soft indoor": "soft light",
  window: "window light",
  studio: "studio light",
  evening: "evening light",
  backlight: "backlight",
  sunny: "sunny light",
  overcast: "overcast light",
};
const FACE: Readonly<Record<string, string>> = { neutral: "with a neutral face", "eyes closed": "with closed eyes" };

const withArticle = (noun: string) => `${/^[aeiou]/.test(noun) ? "an" : "a"} ${noun}`;

/**
 * A scene in several wordings, the fullest first: with what is known of the person, as somebody would ask for it, in
 * another order, and with little said.
 */
export function describeScene(person: Person, { seed, truth }: SceneView): string[] {
  const r = new KeyedRandom(seed, 0xca97);
  const noun = person.sex === "male" ? "man" : "woman";
  const age = person.years < 26 ? "young " : person.years < 45 ? "" : person.years < 60 ? "middle-aged " : "elderly ";
  const origin = person.origin === "mixed" ? "" : `${person.origin} `;
  const clothes = clothesOf(truth);
  const hat = truth.hat === "none" ? undefined : withArticle(`${truth.hatColour} ${truth.hat}`);
  const face = FACE[truth.expression] ?? EXPRESSION_WORDS[truth.expression];
  const [one, two] = WHERE[truth.place];
  const light = LIGHT_WORDS[truth.light];
  const extras = [hat, truth.glasses ? "glasses" : undefined].filter((word) => word !== undefined);
  const worn = [clothes, ...extras];
  const listed = worn.length > 1 ? `${worn.slice(0, -1).join(", ")} and ${worn[worn.length - 1]}` : worn[0];
  const side = truth.side === "centre" ? "" : `, on the ${truth.side}`;
  const someone = r.chance(0.5) ? "person" : noun;
  return [
    `${truth.framing} photo of ${withArticle(`${age}${origin}${noun}`)} with ${hairOf(person)} wearing ${listed}, ${face}, ${one}${side}, ${light}`,
    `a ${someone} in ${clothes} ${face} ${one}${extras.map((word) => `, ${word}`).join("")}`,
    `${r.chance(0.5) ? two : one}, ${withArticle(someone)} ${face} wearing ${listed}, ${light}`,
    r.chance(0.5) ? `a ${noun} ${r.chance(0.5) ? one : two}` : `a ${someone} wearing ${r.pick(worn)}`,
  ];
}

function clothesOf({ garment, garmentColour, pattern }: SceneTruth): string {
  return withArticle([garmentColour, ...(pattern === "plain" ? [] : [pattern]), garment].join(" "));
}
