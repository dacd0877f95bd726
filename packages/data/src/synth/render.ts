import type { Pose, RgbImage } from "@omni-id/face";
import { ambientLight, measureOpenness, type Openness } from "./ambient.ts";
import { paintBackground } from "./background.ts";
import { loadBodyModel } from "./body-model.ts";
import { describePicture } from "./caption.ts";
import { drawCards } from "./cards.ts";
import { DepthMap } from "./depth-map.ts";
import { develop } from "./develop.ts";
import { Figure } from "./figure.ts";
import { type Camera, Frame, SAMPLES } from "./frame.ts";
import { landmarkPositions } from "./landmarks.ts";
import type { Part } from "./part.ts";
import { drawPerson, type Person } from "./person.ts";
import { chainPlacements, Scene } from "./scene.ts";
import { paintPlace } from "./scenes/place.ts";
import type { SceneView } from "./scenes/scene-view.ts";
import { wear } from "./scenes/wardrobe.ts";
import { shadeOpaque } from "./shade.ts";
import { apply, headRotation, type Vec3 } from "./vector.ts";
import { drawView, type View } from "./view.ts";
import { atTime, timeOf } from "./web-noise.ts";

/** A rendered picture and the exact truth about it. */
export interface SyntheticImage {
  image: RgbImage;
  /** 68 points, pixels. */
  landmarks: Float32Array;
  /** 255 where the face is seen: without hair, ears, neck and background. */
  mask: Uint8Array;
  pose: Pose;
  expression: string;
  caption: string;
}

const SHADOW_SIZE = 256;
/** From this size on, a pixel that shows one surface is shaded once: at smaller ones details need every sample. */
const MULTISAMPLED = 256;

/** Centre (x, y) and radius of what shadows are drawn of, decimetres. */
type ShadowField = (view: View, half: number, faceSize: number) => readonly [number, number, number];
const SHADOW: ShadowField = (_view, half, faceSize) => [0, -0.25 * half, (2.1 * faceSize) / 0.65];
/** Down to the hips, wherever in the picture the person stands. */
const TALL_SHADOW: ShadowField = ({ shift }, half, faceSize) => [
  shift[0] * half,
  shift[1] * half - (2.2 * faceSize) / 0.65,
  (4.2 * faceSize) / 0.65,
];

interface Drawing {
  parts: readonly Part[];
  everySample: boolean;
  shadow: ShadowField;
  /** Paints what is behind the person. */
  paint: () => void;
}

/** Draws one person in any number of views. */
export class Portrait {
  readonly person: Person;
  readonly #figure: Figure;
  readonly #openness: Openness;
  readonly #scene = new Scene();
  readonly #shadows: DepthMap[] = [];

  private constructor(figure: Figure) {
    this.person = figure.person;
    this.#figure = figure;
    this.#openness = measureOpenness(figure);
  }

  /** @param size side of the pictures to come, in pixels: decides the detail of textures */
  static async create(person: Person, { size }: { size: number }): Promise<Portrait> {
    const detail = Math.max(160, Math.min(640, Math.round(size * 1.25)));
    return new Portrait(await Figure.create(loadBodyModel(), person, { detail }));
  }

  /**
   * One picture, `size` pixels wide and high.
   * `everySample`: whether each of a pixel's samples is shaded
   */
  render(view: View, size: number, { everySample = size < MULTISAMPLED } = {}): SyntheticImage {
    const parts = this.#figure.partsOf(view);
    const frame = frameOf(size);
    this.#figure.pose(view.units, view.gaze, parts);
    return this.#draw(view, frame, { parts, everySample, shadow: SHADOW, paint: () => paintBackground(view, frame) });
  }

  /** A scene, `size` pixels wide and high: dressed as its truth says, before its place. */
  async renderScene(view: SceneView, size: number): Promise<SyntheticImage> {
    const figure = this.#figure;
    const parts = await wear(figure.model, figure.undressed(view), view.truth, view.cut);
    // From here on nothing waits: the figure's buffers are shared.
    const frame = frameOf(size);
    figure.pose(view.units, view.gaze, parts, view.arms);
    const everySample = size < MULTISAMPLED;
    return this.#draw(view, frame, { parts, everySample, shadow: TALL_SHADOW, paint: () => paintPlace(view, frame) });
  }

  #draw(view: View, frame: Frame, { parts, everySample, shadow, paint }: Drawing): SyntheticImage {
    const figure = this.#figure;
    const scene = this.#scene;
    const head = headRotation(view.yaw, view.pitch, view.roll);
    const body = headRotation(view.yaw * view.body[0], view.pitch * view.body[1], view.roll * 0.15);
    const placements = chainPlacements(body, head, figure.joints);
    const half = view.extent * figure.faceSize;
    const distance = half / Math.tan((view.fov * Math.PI) / 360);
    const top = placements[placements.length - 1];
    const anchor = apply(top.rotation, figure.anchor);
    const move: Vec3 = [
      view.shift[0] * half - anchor[0] - top.shift[0],
      view.shift[1] * half - anchor[1] - top.shift[1],
      -distance - anchor[2] - top.shift[2],
    ];
    for (const placement of placements) {
      const [x, y, z] = placement.shift;
      placement.shift = [x + move[0], y + move[1], z + move[2]];
    }
    scene.fill(parts, placements);

    const { side } = frame;
    const camera: Camera = { focal: (side / 2 / half) * distance, width: side, height: side };
    const lamps = view.light.lamps.map((lamp, i) => {
      this.#shadows[i] ??= new DepthMap(SHADOW_SIZE);
      const map = this.#shadows[i];
      const [x, y, radius] = shadow(view, half, figure.faceSize);
      map.draw(scene, lamp.direction, [x, y, -distance - 0.2], radius);
      return { ...lamp, shadow: map };
    });
    frame.clear();
    frame.project(scene, camera);
    frame.drawOpaque(scene, !everySample);
    if (!everySample) frame.merge(scene);
    paint();
    const ambient = ambientLight(scene, this.#openness, view.light, body, head, frame.seenVertices(scene));
    shadeOpaque(frame, scene, camera, ambient, lamps, everySample);
    drawCards(frame, scene, camera, ambient, lamps, everySample);

    return {
      ...develop(frame, view),
      landmarks: this.#landmarks(frame),
      pose: { yaw: view.yaw, pitch: view.pitch, roll: view.roll },
      expression: view.expression,
      caption: describePicture(this.person, view),
    };
  }

  /** The projected vertices, in pixels of the finished picture. */
  #landmarks(frame: Frame): Float32Array {
    const { model } = this.#figure;
    const vertexOf = firstVertices(model.head.source);
    const out = new Float32Array(136);
    for (const [i, position] of landmarkPositions(model).entries()) {
      const vertex = vertexOf.get(position);
      if (vertex === undefined) throw new Error(`landmark ${i} is not on the head's mesh`);
      out[2 * i] = frame.screen[3 * vertex] / SAMPLES;
      out[2 * i + 1] = frame.screen[3 * vertex + 1] / SAMPLES;
    }
    return out;
  }
}

let vertexCache: { source: Int32Array; first: Map<number, number> } | undefined;

/** Position → its first render vertex. The head is the first part of every scene, so its vertices keep their numbers. */
function firstVertices(source: Int32Array): Map<number, number> {
  if (vertexCache?.source === source) return vertexCache.first;
  const first = new Map<number, number>();
  for (let i = source.length - 1; i >= 0; i--) first.set(source[i], i);
  vertexCache = { source, first };
  return first;
}

let frameCache: Frame | undefined;

function frameOf(size: number): Frame {
  if (frameCache?.size !== size) frameCache = new Frame(size);
  return frameCache;
}

export interface RenderJob {
  seed: number;
  /** Which person. */
  identity: number;
  /** Side of the picture, in pixels. */
  size: number;
  /** "web": a person's pictures are from several times of a life; see `web-noise.ts`. */
  noise?: "web";
}

/** Picture `image` of person `identity`: the same bytes on every machine, in any order. */
export async function renderPerson(job: RenderJob & { image: number }): Promise<SyntheticImage> {
  const person = drawPerson(job.seed, job.identity);
  const portrait = await Portrait.create(person, job);
  return portrait.render(drawView(person, job.image), job.size);
}

/** The first `images` pictures of a person. */
export async function renderPictures(
  job: RenderJob & { images: number },
): Promise<{ person: Person; images: SyntheticImage[] }> {
  const person = drawPerson(job.seed, job.identity);
  if (job.noise === "web") return { person, images: await renderTimes(person, job) };
  const portrait = await Portrait.create(person, job);
  const images = Array.from({ length: job.images }, (_, image) => portrait.render(drawView(person, image), job.size));
  return { person, images };
}

/** Pictures of a person at several times of a life, in their order. */
async function renderTimes(
  person: Person,
  { images, size, seed, identity }: RenderJob & { images: number },
): Promise<SyntheticImage[]> {
  const portraits = new Map<number, Portrait>();
  const made: SyntheticImage[] = [];
  for (let image = 0; image < images; image++) {
    const time = timeOf(seed, identity, image);
    const portrait = portraits.get(time) ?? (await Portrait.create(atTime(person, time), { size }));
    portraits.set(time, portrait);
    made.push(portrait.render(drawView(portrait.person, image), size));
  }
  return made;
}
