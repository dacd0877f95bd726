import { cat, noGrad, scope, type Tensor } from "@omni-id/torch";
import type { SceneGenerator, SceneSettings } from "../../generate/scene-generator.ts";
import { chunk } from "../../people/chunk.ts";
import type { People } from "../../people/people.ts";
import { DrawnPictures } from "../drawn-pictures.ts";
import { INPUT_COUNTS } from "../protocol.ts";
import { encodeTasks } from "../reconstruct.ts";
import type { ScenePrompt } from "./prompts.ts";

/** Where only one number of photos is looked at. */
export const USUAL = 3;

/** What stands for a person in one arm: its own adapter on the base of all arms. */
export interface SceneArm {
  generator: SceneGenerator;
  /** The people's faces as this arm's backbone sees them. */
  photos: People;
}

export interface SceneDrawing {
  prompts: readonly ScenePrompt[];
  seed: number;
  settings: SceneSettings;
  /** Folder of what was drawn before; nothing is kept when absent. */
  keep: string | undefined;
  onProgress: (what: string) => void;
}

/** Pictures drawn together. */
const AT_ONCE = 20;

/** Photos of everybody that a picture may be drawn from: the first ones. */
export function inputsOf(photos: People, count: number): { inputs: number[] }[] {
  return [...photos.ids.keys()].map((person) => ({ inputs: photos.rowsOf(person).slice(0, count) }));
}

/** The numbers of photos that everybody has. */
export function countsOf(photos: People): number[] {
  const least = Math.min(...photos.counts);
  return INPUT_COUNTS.filter((count) => count <= least);
}

/**
 * Everybody by every prompt, `[people · prompts, 3, S, S]`, person by person; the noise is the same whatever the arm and
 * the photos. @param count of photos; nobody's identity when absent @param round another noise for another round
 */
export function drawScenes(
  { generator, photos }: SceneArm,
  { prompts, seed, settings, keep, onProgress }: SceneDrawing,
  { name, count, round = 0 }: { name: string; count?: number; round?: number },
): Tensor {
  const { base, decoder, encoder } = generator;
  const people = photos.ids.length;
  onProgress(
    `drawing ${people * prompts.length} scenes: ${name}${count === undefined ? "" : `, ${count} photo${count > 1 ? "s" : ""}`}${round > 0 ? ", other noise" : ""}`,
  );
  const { flux, latents, prompts: words } = base.base;
  const drawn = new DrawnPictures(keep, [flux, latents, words, ...(decoder && count !== undefined ? [decoder] : [])]);
  const wishes = [...Array(people * prompts.length).keys()].map((place) => ({
    person: Math.floor(place / prompts.length),
    prompt: prompts[place % prompts.length].text,
    seed: seed + round,
    number: place,
  }));
  return scope(() =>
    noGrad(() => {
      const identities =
        count === undefined ? undefined : encodeTasks(encoder.bundle.encoder, photos, inputsOf(photos, count), count);
      const { onStep: _, ...values } = settings;
      const parts = chunk(wishes, AT_ONCE).map((some) =>
        scope(() => {
          const own = some.map(({ person }) => identities?.select(0, person));
          const known = own.flatMap((identity) => (identity ? [identity] : []));
          return drawn.kept([some, values], known, () =>
            generator.draw(
              some.map(({ person: _person, ...wish }, i) => ({ ...wish, identity: own[i] })),
              settings,
            ),
          );
        }),
      );
      return cat(parts);
    }),
  );
}
