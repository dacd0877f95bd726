import type { Recipe } from "./recipe.ts";

/** What a report and the command line call things, one and many. */
export interface SetWords {
  title: string;
  source: readonly [one: string, many: string];
  clip: readonly [one: string, many: string];
  frame: readonly [one: string, many: string];
}

const VIDEOS: SetWords = {
  title: "Curated set",
  source: ["video", "videos"],
  clip: ["clip", "clips"],
  frame: ["frame", "frames"],
};

const PHOTOS: SetWords = {
  title: "Imported photos",
  source: ["folder", "folders"],
  clip: ["photo", "photos"],
  frame: ["photo", "photos"],
};

export const wordsOf = ({ kind }: Pick<Recipe, "kind">): SetWords => (kind === "photos" ? PHOTOS : VIDEOS);
