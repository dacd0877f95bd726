import { join } from "node:path";
import { type BodyModel, CHAIN, HEAD_WINDOW, meanPosition } from "./body-model.ts";
import { landmarkPositions, outline, polygonDistance } from "./landmarks.ts";
import { type Mesh, positionNormals, subMesh } from "./mesh.ts";
import { addTargets, expressionTargets, macroTargets } from "./morph.ts";
import type { Material, Part, Surface } from "./part.ts";
import type { Colour, Person } from "./person.ts";
import { fitProxy, loadProxy, offsetScale, type ProxyKind, type ProxyMesh } from "./proxy.ts";
import { lowerArms } from "./scenes/arms.ts";
import { paintSkin } from "./skin.ts";
import { aboveHairline, loadSkinMap } from "./skin-map.ts";
import { loadTexture, luminance, meanLuminance, type Texture } from "./texture.ts";
import { apply, multiply, rotateX, rotateY, type Vec3 } from "./vector.ts";
import type { View } from "./view.ts";

const material = (surface: Surface, options: Partial<Material> = {}): Material => ({
  surface,
  tint: [1, 1, 1],
  gloss: 0.5,
  gain: 1,
  mean: 0.1,
  face: false,
  ...options,
});

const EYEBALLS = { left: [14598, 14670], right: [14670, 14742] } as const;
const span = ([from, to]: readonly [number, number]) => Array.from({ length: to - from }, (_, i) => from + i);

/** A person's meshes and textures, ready to be posed. Making one costs as much as a few pictures. */
export class Figure {
  readonly person: Person;
  readonly model: BodyModel;
  /** Neutral positions. */
  readonly #neutral: Float32Array;
  readonly #positions: Float32Array;
  readonly #normals: Float32Array;
  readonly parts: Part[] = [];
  /** Trunk and arms, which only scenes show. */
  lower: Part | undefined;
  readonly #clothes = new Map<string, Part>();
  readonly #glasses: Part[] = [];
  /** Centres of neck01, neck02, neck03 and head. */
  readonly joints: Vec3[];
  /** The point of the head that pictures are centred on. */
  readonly anchor: Vec3;
  /** Mean of eye distance and eye–mouth distance: the size of the face, decimetres. */
  readonly faceSize: number;
  readonly #eyes: [Vec3, Vec3];
  readonly #scale: Vec3;

  private constructor(model: BodyModel, person: Person) {
    this.model = model;
    this.person = person;
    this.#neutral = model.positions.slice();
    addTargets(model, this.#neutral, macroTargets(person.macro));
    addTargets(model, this.#neutral, Object.entries(person.shape));
    this.#positions = this.#neutral.slice();
    this.#normals = new Float32Array(this.#neutral.length);
    this.joints = CHAIN.map((name) => meanPosition(this.#neutral, model.joints[`${name}____head`]));
    this.#eyes = [meanPosition(this.#neutral, span(EYEBALLS.left)), meanPosition(this.#neutral, span(EYEBALLS.right))];
    const ids = landmarkPositions(model);
    const mouth = meanPosition(
      this.#neutral,
      [48, 54, 62, 66].map((i) => ids[i]),
    );
    const [l, r] = this.#eyes;
    const eyes: Vec3 = [(l[0] + r[0]) / 2, (l[1] + r[1]) / 2, (l[2] + r[2]) / 2];
    const between = Math.hypot(l[0] - r[0], l[1] - r[1], l[2] - r[2]);
    const down = Math.hypot(eyes[0] - mouth[0], eyes[1] - mouth[1], eyes[2] - mouth[2]);
    this.faceSize = (between + down) / 2;
    this.anchor = [0, eyes[1] * 0.55 + mouth[1] * 0.45, eyes[2] - 0.35];
    this.#scale = offsetScale(model, this.#neutral);
  }

  /** @param detail height of the head's texture, in texels */
  static async create(model: BodyModel, person: Person, { detail }: { detail: number }): Promise<Figure> {
    const figure = new Figure(model, person);
    await figure.#dress(detail);
    return figure;
  }

  async #dress(detail: number): Promise<void> {
    const { model, person } = this;
    const cards = Math.max(128, Math.min(512, detail));
    const skin = paintSkin(await loadSkinMap(model, detail), person);
    const faces = faceVertices(model);
    const body = { positions: this.#positions, normals: this.#normals, chain: model.chain };

    this.parts.push(
      {
        ...body,
        mesh: model.head,
        material: material("skin", { texture: skin.head, window: HEAD_WINDOW }),
        faceVertices: faces.head,
      },
      { ...body, mesh: model.rest, material: material("skin", { texture: skin.body }), faceVertices: faces.rest },
    );

    this.lower = { ...body, mesh: model.lower, material: material("skin", { texture: skin.body }) };

    const eye = loadProxy(model, "eyes", "HighPolyEyes");
    const iris = join(model.folder, "public/data/proxies/eyes/HighPolyEyes/textures", `${person.eyes.texture}_eye.png`);
    const cornea = (vertex: number) => eye.mesh.uv[2 * vertex] > 0.86 && eye.mesh.uv[2 * vertex + 1] < 0.14;
    const ball = subMesh(eye.mesh, (a, b, c) => !(cornea(a) && cornea(b) && cornea(c)));
    this.parts.push(
      this.#worn(eye, material("eye", { texture: paintEyes(await loadTexture(iris, 256), person), face: true }), ball),
    );

    const teeth = loadProxy(model, "teeth", person.teeth.style);
    this.parts.push(this.#worn(teeth, material("plain", { tint: person.teeth.tint, gloss: 0.6, face: true })));
    const tongue = loadProxy(model, "tongue", "tongue01");
    this.parts.push(this.#worn(tongue, material("plain", { tint: [0.36, 0.11, 0.1], face: true })));

    const { hair, skin: traits, brows } = person;
    if (hair.style) {
      const part = await this.#card("hair", hair.style, cards, { tint: hair.colour, gain: 1.25, gloss: hair.gloss });
      this.parts.push({ ...part, mirrored: hair.flip });
    }
    const beards = [person.beardStyle, person.moustache ? "Moustache" : null];
    for (const style of beards) {
      if (style)
        this.parts.push(
          await this.#card("hair", style, cards, { tint: traits.beardColour, gain: 1.25, gloss: 0.4, face: true }),
        );
    }
    this.parts.push(
      await this.#card("eyebrows", brows.style, cards, { tint: brows.colour, gain: brows.gain, face: true }, "brow"),
      await this.#card(
        "eyelashes",
        person.lashes,
        cards,
        { tint: [0.012, 0.01, 0.009], gain: person.sex === "male" ? 0.6 : 0.9, face: true },
        "lash",
      ),
    );
    for (const { style, tint } of person.clothes) {
      const proxy = loadProxy(model, "clothes", style);
      const texture = proxy.texture ? await loadTexture(proxy.texture, 256) : undefined;
      const brightness = 0.45 / Math.max(0.08, Math.min(0.7, texture ? meanLuminance(texture) : 0.4));
      const dyed: Colour = [0.15 + tint[0] * brightness, 0.15 + tint[1] * brightness, 0.15 + tint[2] * brightness];
      const high = (vertex: number) => model.positions[3 * proxy.reference[3 * proxy.mesh.source[vertex]] + 1] > 2.6;
      const mesh = subMesh(proxy.mesh, (a, b, c) => high(a) && high(b) && high(c));
      this.#clothes.set(style, this.#worn(proxy, material("plain", { texture, tint: dyed, gloss: 0.15 }), mesh));
    }
    if (person.glasses.worn) this.#makeGlasses();
  }

  #makeGlasses(): void {
    const proxy = loadProxy(this.model, "clothes", "glasses");
    const { uv } = proxy.mesh;
    const lens = (vertex: number) => uv[2 * vertex] < 0.72 && uv[2 * vertex + 1] > 0.715;
    const frame = subMesh(proxy.mesh, (a, b, c) => !(lens(a) && lens(b) && lens(c)));
    const glass = subMesh(proxy.mesh, (a, b, c) => lens(a) && lens(b) && lens(c));
    const part = this.#worn(proxy, material("plain", { tint: this.person.glasses.tint, gloss: 1, face: true }), frame);
    this.#glasses.push(part, { ...part, mesh: glass, material: material("glass", { gloss: 1, face: true }) });
  }

  #worn(proxy: ProxyMesh, of: Material, mesh: Mesh = proxy.mesh): Part {
    const size = proxy.mesh.positions * 3;
    const buffers = { positions: new Float32Array(size), normals: new Float32Array(size) };
    return { mesh, ...buffers, chain: proxy.chain, material: of, proxy };
  }

  async #card(
    kind: ProxyKind,
    id: string,
    side: number,
    options: Partial<Material>,
    surface: Surface = "hair",
  ): Promise<Part> {
    const proxy = loadProxy(this.model, kind, id);
    if (!proxy.texture) throw new Error(`${proxy.name}: its package names no texture`);
    const texture = await loadTexture(proxy.texture, side);
    return this.#worn(proxy, material(surface, { texture, mean: meanLuminance(texture), ...options }));
  }

  /** Parts seen in a view. */
  partsOf(view: View): Part[] {
    const clothes = this.#clothes.get(this.person.clothes[view.clothes]?.style);
    return [...this.parts, ...(clothes ? [clothes] : []), ...(view.glasses ? this.#glasses : [])];
  }

  /** Everything of the body, the glasses if worn, and no clothes: what a scene dresses. */
  undressed({ glasses }: { glasses: boolean }): Part[] {
    return [...this.parts, ...(this.lower ? [this.lower] : []), ...(glasses ? this.#glasses : [])];
  }

  /**
   * Moves all parts to an expression and gaze, in the model's own frame, and computes normals.
   * @param arms how far the arms are lowered, degrees: left and right; for pictures that show them
   */
  pose(
    units: Readonly<Record<string, number>>,
    gaze: readonly [number, number],
    parts: readonly Part[],
    arms?: readonly [number, number],
  ): void {
    const { head, rest, lower } = this.model;
    this.#positions.set(this.#neutral);
    addTargets(this.model, this.#positions, expressionTargets(units, this.person.macro.origin));
    if (arms) lowerArms(this.model, this.#positions, arms);
    positionNormals(this.#positions, arms ? [head, rest, lower] : [head, rest], this.#normals);
    const done = new Set<Float32Array>();
    for (const part of parts) {
      if (!part.proxy || done.has(part.positions)) continue;
      done.add(part.positions);
      fitProxy(part.proxy, this.#positions, this.#scale, part.positions);
      if (part.mirrored) for (let i = 0; i < part.positions.length; i += 3) part.positions[i] *= -1;
      if (part.material.surface === "eye") this.#turnEyes(part.positions, gaze);
      positionNormals(part.positions, [part.proxy.mesh], part.normals);
    }
  }

  #turnEyes(positions: Float32Array, [right, up]: readonly [number, number]): void {
    const turn = multiply(rotateY(right), rotateX(-up));
    for (let i = 0; i < positions.length; i += 3) {
      const centre = positions[i] > 0 ? this.#eyes[0] : this.#eyes[1];
      const from: Vec3 = [positions[i] - centre[0], positions[i + 1] - centre[1], positions[i + 2] - centre[2]];
      const to = apply(turn, from);
      for (let k = 0; k < 3; k++) positions[i + k] = to[k] + centre[k];
    }
  }
}

/** Iris and white of the eye in a person's colours. The texture holds both eyes. */
function paintEyes({ width, height, data }: Texture, { eyes }: Person): Texture {
  const out = data.slice();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [u, v] = [(x + 0.5) / width, (y + 0.5) / height];
      const radius = Math.min(Math.hypot(u - 0.708, v - 0.296), Math.hypot(u - 0.292, v - 0.705));
      const iris = Math.max(0, Math.min(1, (0.122 - radius) / 0.012));
      const at = (y * width + x) * 4;
      const grey = luminance(out[at], out[at + 1], out[at + 2]);
      for (let k = 0; k < 3; k++) {
        const value = out[at + k];
        const coloured = (grey + (value - grey) * eyes.saturation) * eyes.value * (eyes.texture === "brown" ? 1.5 : 1);
        const white = value * 0.82 * eyes.sclera[k];
        out[at + k] = white + (coloured - white) * iris;
      }
    }
  }
  return { width, height, data: out };
}

let faceCache: { model: BodyModel; head: Uint8Array; rest: Uint8Array } | undefined;

/** Which render vertices of the skin belong to the face: neither scalp, ears, neck, nor what lies behind. */
function faceVertices(model: BodyModel): { head: Uint8Array; rest: Uint8Array } {
  if (faceCache?.model === model) return faceCache;
  const { positions } = model;
  const place = (mesh: Mesh, vertex: number) =>
    positions.subarray(3 * mesh.source[vertex], 3 * mesh.source[vertex] + 3);
  const head = Uint8Array.from(model.head.source, (_, vertex) => {
    const [x, y, z] = place(model.head, vertex);
    const side = Math.abs(x);
    const ear = side > 0.69 && y > 6.78 && y < 7.55 && z < 0.86;
    const neck = z < 0.35 || y < 6.17 + (1.43 - z) * 0.79;
    return Number(!ear && !neck && aboveHairline(x, y, z) < 0);
  });
  const mouth = outline(model, [48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59]);
  const rest = Uint8Array.from(model.rest.source, (_, vertex) => {
    const [x, y, z] = place(model.rest, vertex);
    const inMouth = z > 0.6 && y > 6.1 && y < 6.9 && polygonDistance(x, y, mouth) < 0.05;
    const inEye = z > 0.6 && y > 7 && y < 7.6 && Math.abs(x) < 0.6;
    return Number(inMouth || inEye);
  });
  faceCache = { model, head, rest };
  return faceCache;
}
