import type { KeyedRandom } from "@omni-id/data";
import type { People } from "./people.ts";

/** What is said of a row's picture: one of its wordings where there are several; "" where nobody wrote anything down. */
export function wordsOf({ captions, wordings }: People, row: number, random: KeyedRandom): string {
  return wordings[row]?.length ? random.pick(wordings[row]) : captions[row];
}
