import { EXPRESSION_WORDS, LIGHT_WORDS, PLACES } from "@omni-id/data";

/** Words of which a picture shows one at a time. */
const GROUPS: readonly { about: string; words: readonly string[] }[] = [
  { about: "place", words: Object.keys(PLACES) },
  { about: "expression", words: Object.values(EXPRESSION_WORDS) },
  { about: "length of hair", words: ["bald", "short hair", "long hair"] },
  {
    about: "light",
    words: Object.values(LIGHT_WORDS),
  },
];

/** What a prompt says that cannot be shown in one picture, for a person; empty where nothing contradicts. */
export function contradictions(prompt: string): string[] {
  const said = ` ${prompt.toLowerCase().replaceAll(/[^\p{L}\p{N}-]+/gu, " ")} `;
  return GROUPS.flatMap(({ about, words }) => {
    const found = words.filter((word) => said.includes(` ${word} `));
    return found.length > 1 ? [`${found.join(" and ")}: a picture shows one ${about}`] : [];
  });
}
