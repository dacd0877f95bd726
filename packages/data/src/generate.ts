import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { toSharp } from "@omni-id/face";
import { writeAtomically } from "@omni-id/torch";
import sharp from "sharp";
import { type ShardSample, shardName, writeShard } from "./shard-writer.ts";
import { type SyntheticIdentity, SynthPool } from "./synth/pool.ts";
import { HELD_OUT_WORDS } from "./synth/scenes/held-out.ts";
import type { HeldOut } from "./synth/scenes/truth.ts";
import { mislabel, throughOtherCamera } from "./synth/web-noise.ts";

export interface GenerateOptions {
  identities: number;
  /** Pictures of each. */
  images: number;
  /** Side of a picture, in pixels. */
  size: number;
  seed: number;
  /** Scenes of each, after the pictures. */
  scenes?: number;
  /** Combinations of words that no scene has. */
  heldOut?: HeldOut;
  /** Scenes have held-out combinations, and none else. */
  heldOutOnly?: boolean;
  /** "web": pictures as sets have them that were gathered from the web for recognition; see `synth/web-noise.ts`. */
  noise?: "web";
  /** Folder of the shards. */
  out: string;
  workers?: number;
  /** Identities in a shard. */
  shardSize?: number;
  onProgress?: (done: number, total: number) => void;
  /** Aborted: ends at once; the shard in work is rendered again by the next run. */
  signal?: AbortSignal;
}

/**
 * Renders synthetic people into WebDataset shards. A shard that is there is not rendered again, so an interrupted run
 * goes on where it stopped and ends in the same bytes.
 * @returns how many identities are there now, in whole shards
 * @throws when the folder holds shards of another seed, size or number of pictures
 */
export async function writeSyntheticShards(options: GenerateOptions): Promise<number> {
  const { identities, images, size, seed, noise, out, workers, shardSize = 64, onProgress, signal } = options;
  mkdirSync(out, { recursive: true });
  takeFolder(out, { identities, images, size, seed, shardSize, ...sceneRecipe(options), ...(noise && { noise }) });
  const pool = new SynthPool({ workers });
  let done = 0;
  try {
    for (let from = 0; from < identities && !signal?.aborted; from += shardSize) {
      const numbers = Array.from({ length: Math.min(shardSize, identities - from) }, (_, i) => from + i);
      if (!existsSync(join(out, shardName(from / shardSize)))) {
        let rendered = done;
        const samples = await renderShard(numbers, pool, options, () => onProgress?.(++rendered, identities));
        if (!samples) break;
        await writeShard(out, from / shardSize, samples);
      }
      done += numbers.length;
      onProgress?.(done, identities);
    }
  } finally {
    await pool.close();
  }
  return done;
}

/** People of one shard; `undefined` when the signal came before the last of them was begun. */
async function renderShard(
  identities: readonly number[],
  pool: SynthPool,
  { seed, size, images, noise, scenes, heldOut, heldOutOnly, signal }: GenerateOptions,
  onRendered: () => void,
): Promise<ShardSample[] | undefined> {
  try {
    const rendered = identities.map(async (identity) => {
      const job = { seed, identity, size, images, noise, scenes, heldOut, heldOutOnly };
      const person = await pool.render(job, { signal });
      onRendered();
      return person;
    });
    if (noise !== "web") return await Promise.all(rendered.map(async (person) => toSample(await person)));
    const seen = await Promise.all((await Promise.all(rendered)).map((person) => asOnTheWeb(person, seed)));
    return await Promise.all(mislabel(seen, seed).map(toSample));
  } catch (error) {
    if (signal?.aborted) return undefined;
    throw error;
  }
}

async function asOnTheWeb(person: SyntheticIdentity, seed: number): Promise<SyntheticIdentity> {
  const images = person.images.map(async (made, image) => ({
    ...made,
    image: await throughOtherCamera(made.image, seed, person.person.identity, image),
  }));
  return { ...person, images: await Promise.all(images) };
}

/** What a folder of synthetic shards is made of. */
export interface Recipe {
  identities: number;
  /** Pictures of each. */
  images: number;
  /** Side of a picture, in pixels. */
  size: number;
  seed: number;
  /** Identities in a shard. */
  shardSize: number;
  noise?: "web";
  /** Scenes of each, and the combinations that they never have, or always. Absent in a set without scenes. */
  scenes?: number;
  /** How scenes are drawn; absent in those of before there was a second way. */
  sceneVersion?: number;
  heldOut?: HeldOut;
  heldOutOnly?: boolean;
}

/** 2: scenes come nearer, by how they are framed. */
const SCENE_VERSION = 2;

/** What a set with scenes notes of them. */
function sceneRecipe({ scenes, heldOut = HELD_OUT_WORDS, heldOutOnly }: GenerateOptions): Partial<Recipe> {
  return scenes ? { scenes, sceneVersion: SCENE_VERSION, heldOut, ...(heldOutOnly ? { heldOutOnly } : {}) } : {};
}

const RECIPE = "recipe.json";
/** What the nano preset is trained on. */
export const NANO_RECIPE = { identities: 2600, images: 8, size: 96, seed: 0 } as const;
/** What `data synth --scenes` makes unless told otherwise. */
export const SCENE_RECIPE = { ...NANO_RECIPE, images: 4, scenes: 6, size: 128 } as const;

/** What must be the same for shards to lie in one folder. */
const RECIPE_KEYS = [
  "seed",
  "size",
  "images",
  "shardSize",
  "noise",
  "scenes",
  "sceneVersion",
  "heldOut",
  "heldOutOnly",
] as const;
const told = (value: unknown) => (typeof value === "object" ? JSON.stringify(value) : String(value ?? "none"));

/** Notes beside the shards what they are made of, so that two recipes never mix in one folder. */
function takeFolder(out: string, recipe: Recipe): void {
  const path = join(out, RECIPE);
  const shards = readdirSync(out).filter((name) => name.endsWith(".tar"));
  if (shards.length > 0) {
    const there = readRecipe(out);
    const other = RECIPE_KEYS.find((key) => JSON.stringify(there?.[key]) !== JSON.stringify(recipe[key]));
    if (!there || other) {
      const what =
        there && other ? `made with ${other} ${told(there[other])}, not ${told(recipe[other])}` : "not made here";
      throw new Error(`${out}: holds shards ${what}; choose an empty folder, or delete them`);
    }
    // The last shard of a smaller set is short: it is rendered again for a larger one.
    if (there.identities < recipe.identities && there.identities % recipe.shardSize !== 0) {
      rmSync(join(out, shardName(Math.floor(there.identities / recipe.shardSize))), { force: true });
    }
  }
  writeAtomically(path, `${JSON.stringify(recipe, null, 2)}\n`);
}

/**
 * The recipe that `writeSyntheticShards` noted beside its shards; `undefined` for shards from elsewhere, those of a curated
 * set too, which has a recipe of its own kind.
 */
export function readRecipe(folder: string): Recipe | undefined {
  try {
    const recipe = JSON.parse(readFileSync(join(folder, RECIPE), "utf8")) as Recipe;
    return typeof recipe.identities === "number" && typeof recipe.seed === "number" ? recipe : undefined;
  } catch {
    return undefined;
  }
}

async function toSample({ id, person, images }: SyntheticIdentity): Promise<ShardSample> {
  const { sex, years, origin, hair, eyes } = person;
  return {
    record: {
      id,
      source: "synthetic",
      attributes: {
        sex,
        years,
        origin,
        hair: hair.style ?? "none",
        hairColour: hair.name,
        eyes: eyes.name,
        glasses: person.glasses.worn,
      },
      images: images.map(({ image, landmarks, pose, caption, expression, ...more }) => ({
        width: image.width,
        height: image.height,
        landmarks: Array.from(landmarks, (value) => Math.round(value * 100) / 100),
        pose: { yaw: round(pose.yaw), pitch: round(pose.pitch), roll: round(pose.roll) },
        caption,
        expression,
        ...("scene" in more ? { captions: more.captions, scene: more.scene } : {}),
      })),
    },
    // Small pictures have no detail to spare: hardly any compression, full colour resolution.
    images: await Promise.all(
      images.map(({ image }) => toSharp(image).jpeg({ quality: 97, chromaSubsampling: "4:4:4" }).toBuffer()),
    ),
    masks: await Promise.all(
      images.map(({ image: { width, height }, mask }) =>
        sharp(mask, { raw: { width, height, channels: 1 } })
          .png()
          .toBuffer(),
      ),
    ),
  };
}

const round = (value: number) => Math.round(value * 100) / 100;
