import { drawPerson, type Person } from "../person.ts";
import { Portrait, type RenderJob, type SyntheticImage } from "../render.ts";
import { drawView } from "../view.ts";
import { HELD_OUT_WORDS } from "./held-out.ts";
import { describeScene } from "./scene-caption.ts";
import { drawSceneView } from "./scene-view.ts";
import type { HeldOut, SceneTruth } from "./truth.ts";

/** A scene with its truth; `caption` is the first of `captions`. */
export interface SceneImage extends SyntheticImage {
  captions: string[];
  scene: SceneTruth;
}

export interface SceneJob extends RenderJob {
  /** Usual pictures of the face, which come first. */
  images: number;
  scenes: number;
  /** Combinations of words that are not drawn. */
  heldOut?: HeldOut;
  /** Draws held-out combinations and nothing else. */
  heldOutOnly?: boolean;
}

/** A person's pictures and scenes: the same bytes on every machine, in any order. Anybody may wear glasses in a scene. */
export async function renderScenes(
  job: SceneJob,
): Promise<{ person: Person; images: (SyntheticImage | SceneImage)[] }> {
  const { seed, identity, size, images, scenes, heldOut = HELD_OUT_WORDS, heldOutOnly = false } = job;
  const person = drawPerson(seed, identity);
  const wearer: Person = { ...person, glasses: { ...person.glasses, worn: true } };
  const portrait = await Portrait.create(wearer, { size });
  const out: (SyntheticImage | SceneImage)[] = [];
  for (let image = 0; image < images; image++) out.push(portrait.render(drawView(person, image), size));
  for (let scene = 0; scene < scenes; scene++) {
    const view = drawSceneView(person, scene, { heldOut, only: heldOutOnly });
    const captions = describeScene(person, view);
    const drawn = await portrait.renderScene(view, size);
    out.push({ ...drawn, caption: captions[0], captions, scene: view.truth });
  }
  return { person, images: out };
}
