import type { BodyModel } from "../body-model.ts";
import { type Mesh, positionNormals, subMesh } from "../mesh.ts";
import type { Material, Part } from "../part.ts";
import { fitProxy, loadProxy, type ProxyMesh } from "../proxy.ts";
import { aboveHairline } from "../skin-map.ts";
import { loadTexture, luminance, meanLuminance, type Texture } from "../texture.ts";
import { CLOTH } from "./colours.ts";
import { PATTERN_WIDTH, patternTexture } from "./patterns.ts";
import type { ColourName, Garment, Hat, SceneTruth } from "./truth.ts";

/** What a word stands for in the body model's package; any of a garment's may be worn by anybody. */
const GARMENT_MESHES: Readonly<Record<Garment, readonly string[]>> = {
  shirt: ["male_casualsuit01", "male_casualsuit03", "female_elegantsuit01"],
  jumper: ["male_casualsuit02"],
  "t-shirt": ["male_casualsuit04", "female_casualsuit01", "male_casualsuit06"],
  jacket: ["male_casualsuit05"],
  suit: ["male_elegantsuit01"],
  top: ["Tank_Top_01"],
};
const HAT_MESHES: Readonly<Record<Exclude<Hat, "none" | "beanie">, string>> = {
  hat: "fedora",
  "sun hat": "Fishing_Hat_01",
  helmet: "pith_helmet",
};
/** Bright cloth of these keeps its colour: the shirt under the jacket. */
const LAYERED: ReadonlySet<string> = new Set(["suit", "jacket"]);
/** Emblems and stripes of a garment's own texture melt at this size: what a sentence does not say is not there. */
const MELTED = 20;
/** Garments are cut off below the hips, decimetres. */
const HEM = -0.5;

/** What is worn in a scene, and what it leaves to be seen of skin and hair. */
export async function wear(model: BodyModel, own: readonly Part[], truth: SceneTruth, cut: number): Promise<Part[]> {
  const styles = GARMENT_MESHES[truth.garment];
  const garment = loadProxy(model, "clothes", styles[cut % styles.length]);
  const mesh = cached(garment, "hem", () => cutHem(model, garment));
  const patterned = truth.pattern !== "plain";
  const worn = partOf(
    garment,
    patterned ? cached(garment, "flat", () => flatTexture(model, garment, mesh)) : mesh,
    patterned
      ? patternTexture(truth.pattern as "striped", truth.garmentColour)
      : await dyed(garment, truth.garmentColour, LAYERED.has(truth.garment), LAYERED.has(truth.garment) ? 192 : MELTED),
  );
  const hat = await makeHat(model, truth);
  const covered = own.map((part) => {
    if (part.material.surface === "skin") return without(part, (position) => garment.hides[position] === 1);
    if (hat && part.material.surface === "hair" && !part.material.face) return underHat(model, part, truth.hat);
    return part;
  });
  return [...covered, worn, ...(hat ? [hat] : [])];
}

function partOf(proxy: ProxyMesh, mesh: Mesh, texture: Texture): Part {
  const size = proxy.mesh.positions * 3;
  const material: Material = {
    surface: "plain",
    texture,
    tint: [1, 1, 1],
    gloss: 0.12,
    gain: 1,
    mean: 0.1,
    face: false,
  };
  return {
    mesh,
    positions: new Float32Array(size),
    normals: new Float32Array(size),
    chain: proxy.chain,
    material,
    proxy,
  };
}

const meshes = new WeakMap<ProxyMesh, Map<string, Mesh>>();

function cached(proxy: ProxyMesh, name: string, make: () => Mesh): Mesh {
  const known = meshes.get(proxy) ?? new Map<string, Mesh>();
  meshes.set(proxy, known);
  const mesh = known.get(name) ?? make();
  known.set(name, mesh);
  return mesh;
}

function cutHem(model: BodyModel, { mesh, reference }: ProxyMesh): Mesh {
  const high = (vertex: number) => model.positions[3 * reference[3 * mesh.source[vertex]] + 1] > HEM;
  return subMesh(mesh, (a, b, c) => high(a) && high(b) && high(c));
}

/** Texture coordinates as seen from the front, so that stripes lie level. */
function flatTexture(model: BodyModel, proxy: ProxyMesh, mesh: Mesh): Mesh {
  const at = new Float32Array(proxy.mesh.positions * 3);
  fitProxy(proxy, model.positions, [1, 1, 1], at);
  const uv = new Float32Array(mesh.uv.length);
  for (const [vertex, position] of mesh.source.entries()) {
    uv[2 * vertex] = at[3 * position] / PATTERN_WIDTH;
    uv[2 * vertex + 1] = at[3 * position + 1] / PATTERN_WIDTH;
  }
  return { ...mesh, uv };
}

/** A garment's own texture in another colour: its folds stay. */
async function dyed(proxy: ProxyMesh, colour: ColourName, layered: boolean, detail = 192): Promise<Texture> {
  const cloth = CLOTH[colour];
  if (!proxy.texture) return { width: 1, height: 1, data: Float32Array.from([...cloth, 1]) };
  const { width, height, data } = await loadTexture(proxy.texture, detail);
  const mean = Math.max(0.004, meanLuminance({ width, height, data }));
  const out = new Float32Array(data.length);
  for (let i = 0; i < data.length; i += 4) {
    const grey = luminance(data[i], data[i + 1], data[i + 2]);
    const keep = layered && grey > 0.22;
    const fold = Math.max(0.55, Math.min(1.35, (grey / mean) ** 0.5));
    for (let k = 0; k < 3; k++) out[i + k] = keep ? data[i + k] : cloth[k] * fold;
    out[i + 3] = 1;
  }
  return { width, height, data: out };
}

async function makeHat(model: BodyModel, { hat, hatColour }: SceneTruth): Promise<Part | undefined> {
  if (hat === "none" || hatColour === "none") return undefined;
  const proxy = hat === "beanie" ? beanie(model) : loadProxy(model, "clothes", HAT_MESHES[hat]);
  return partOf(proxy, proxy.mesh, await dyed(proxy, hatColour, false));
}

let beanieCache: { model: BodyModel; proxy: ProxyMesh } | undefined;
/** How thick a beanie is, decimetres. */
const WOOL = 0.13;
const BEANIE_LINE = -0.05;

/** The scalp, moved outwards: the package has no knitted cap. */
function beanie(model: BodyModel): ProxyMesh {
  if (beanieCache?.model === model) return beanieCache.proxy;
  const { positions } = model;
  const normals = new Float32Array(positions.length);
  positionNormals(positions, [model.head, model.rest], normals);
  const count = positions.length / 3;
  const over = (vertex: number) => {
    const [x, y, z] = positions.subarray(3 * model.head.source[vertex], 3 * model.head.source[vertex] + 3);
    return aboveHairline(x, y, z) > BEANIE_LINE && y > 7.35;
  };
  const proxy: ProxyMesh = {
    name: "beanie",
    mesh: subMesh(model.head, (a, b, c) => over(a) && over(b) && over(c)),
    reference: Int32Array.from({ length: count * 3 }, (_, i) => Math.floor(i / 3)),
    weight: Float32Array.from({ length: count * 3 }, (_, i) => Number(i % 3 === 0)),
    offset: normals.map((value) => value * WOOL),
    chain: model.chain,
    hides: new Uint8Array(0),
    texture: undefined,
  };
  beanieCache = { model, proxy };
  return proxy;
}

/** A part without the triangles whose three positions are hidden. */
function without(part: Part, hidden: (position: number) => boolean): Part {
  const { source } = part.mesh;
  const mesh = subMesh(part.mesh, (a, b, c) => !(hidden(source[a]) && hidden(source[b]) && hidden(source[c])));
  return { ...part, mesh, whole: part };
}

/** Where hair ends under each hat, decimetres of the base head. */
const BRIM: Readonly<Record<Hat, number>> = { none: 9, hat: 7.6, "sun hat": 7.55, helmet: 7.5, beanie: 7.45 };
/** Hair that stands off further than this from the middle of the head hides a hat: it ends at the ears. */
const WIDE = 0.95;
const EARS = 7.15;
const MIDDLE = 0.45;

/** Hair below the brim. */
function underHat(model: BodyModel, part: Part, hat: Hat): Part {
  const { proxy } = part;
  if (!proxy) return part;
  const at = new Float32Array(proxy.mesh.positions * 3);
  fitProxy(proxy, model.positions, [1, 1, 1], at);
  return without(part, (position) => {
    const [x, y, z] = at.subarray(3 * position, 3 * position + 3);
    return y > BRIM[hat] || (y > EARS && Math.hypot(x, z - MIDDLE) > WIDE);
  });
}
