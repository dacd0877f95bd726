import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomically } from "../atomic-file.ts";
import type { SetSettings } from "./settings.ts";

/** Raise when a stage decides in another way: sets that were begun in the old way are then not gone on with. */
const VERSION = { videos: 2, photos: 3 } as const;

/** What all videos of a set are curated by. */
export interface Recipe {
  version: number;
  /** What it is made of: videos where absent. */
  kind?: "photos";
  settings: SetSettings;
  /** SHA-256 of the face-quality model, where one was given. */
  quality?: string;
}

export const recipeOf = (settings: SetSettings, quality?: string, kind?: "photos"): Recipe => ({
  version: VERSION[kind ?? "videos"],
  ...(kind && { kind }),
  settings,
  ...(quality && { quality }),
});

export const recipeHash = (recipe: Recipe): string => createHash("sha256").update(JSON.stringify(recipe)).digest("hex");

export function readRecipe(out: string): Recipe | undefined {
  const path = join(out, "recipe.json");
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Recipe;
  } catch {
    throw new Error(`${path}: damaged; restore it, or curate into an empty folder`);
  }
}

/**
 * Notes in a folder what its set is made by.
 * @throws when the folder holds shards or a set of another recipe
 */
export function takeFolder(out: string, recipe: Recipe): void {
  const there = readRecipe(out);
  if (!there) {
    if (existsSync(out) && readdirSync(out).some((name) => name.endsWith(".tar"))) {
      throw new Error(`${out}: holds shards that were not curated here; choose an empty folder`);
    }
    writeFileAtomically(join(out, "recipe.json"), `${JSON.stringify(recipe, null, 2)}\n`);
    return;
  }
  const difference = firstDifference(there, recipe);
  if (difference) throw new Error(`${out}: was begun with ${difference}; choose another folder, or the old value`);
}

/** The first thing in which two recipes differ, in words. */
export function firstDifference(one: Recipe, two: Recipe): string | undefined {
  if (one.kind !== two.kind) return `${one.kind ?? "videos"}, not ${two.kind ?? "videos"}`;
  for (const key of Object.keys(two.settings) as (keyof SetSettings)[]) {
    if (one.settings[key] !== two.settings[key]) return `${key} ${one.settings[key]}, not ${two.settings[key]}`;
  }
  if (one.quality !== two.quality) return "another face-quality model";
  if (one.version !== two.version) return `version ${one.version} of the curation, not ${two.version}`;
  return undefined;
}
