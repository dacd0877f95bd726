import type { Person } from "./person.ts";
import type { View } from "./view.ts";

const LONG = /long|Braid|pony|curly|jungle/;
const MEDIUM = /bob|Wig/;
const BEHIND = {
  plain: "a plain background",
  room: "an indoor background",
  lights: "blurred lights behind",
  nature: "greenery behind",
  street: "buildings behind",
} as const;

/** A sentence about a picture, from what it was drawn of. */
export function describePicture(person: Person, view: View): string {
  const age = person.years < 26 ? "young " : person.years < 45 ? "" : person.years < 60 ? "middle-aged " : "elderly ";
  const origin = person.origin === "mixed" ? "" : `${person.origin} `;
  const noun = person.sex === "male" ? "man" : "woman";
  const traits = [hairOf(person), `${person.eyes.name} eyes`];
  if (person.beardStyle) traits.push("a full beard");
  else if (person.skin.beard > 0.15) traits.push(person.skin.beard > 0.6 ? "a short beard" : "stubble");
  if (person.skin.freckles > 0.2) traits.push("freckles");
  if (view.glasses) traits.push("glasses");
  const last = traits.pop();
  const far = Math.abs(view.yaw) > 40 ? "far " : "";
  const pose = Math.abs(view.yaw) < 12 ? "facing the camera" : `turned ${far}to the ${view.yaw > 0 ? "right" : "left"}`;
  const face = view.expression === "neutral" ? "neutral expression" : view.expression;
  const article = /^[aeiou]/.test(age || origin || noun) ? "an" : "a";
  return `a photo of ${article} ${age}${origin}${noun} with ${traits.join(", ")} and ${last}, ${face}, ${pose}, ${view.light.name} light, ${BEHIND[view.background.kind]}`;
}

/** A person's hair in words, such as "long brown hair". */
export function hairOf({ hair, skin }: Person): string {
  if (hair.style === null) return skin.scalp < 0.2 ? "a bald head" : `very short ${hair.name} hair`;
  const length = LONG.test(hair.style) ? "long" : MEDIUM.test(hair.style) ? "medium-length" : "short";
  return `${length} ${hair.name} hair`;
}
