import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type BodyModel, chainWeights } from "./body-model.ts";
import { buildMesh, decodeFaces, type Mesh } from "./mesh.ts";
import type { Vec3 } from "./vector.ts";

export type ProxyKind = "hair" | "eyebrows" | "eyelashes" | "eyes" | "teeth" | "tongue" | "clothes";

/** A mesh that is worn: each position follows three positions of the body, plus an offset. */
export interface ProxyMesh {
  name: string;
  mesh: Mesh;
  reference: Int32Array;
  weight: Float32Array;
  offset: Float32Array;
  chain: Float32Array;
  /** Body positions that it covers, 1 where hidden. */
  hides: Uint8Array;
  texture: string | undefined;
}

interface ProxyJson {
  faces: number[];
  uvs: number[][];
  ref_vIdxs: number[][];
  weights: number[][];
  offsets: number[][];
  skinIndices: number[];
  skinWeights: number[];
  influencesPerVertex: number;
  bones?: { name: string; parent: number }[];
  materials: { mapDiffuse?: string }[];
  metadata: { vertices: number; deleteVerts: number[] };
}

const cache = new Map<string, ProxyMesh>();

export function loadProxy(model: BodyModel, kind: ProxyKind, id: string): ProxyMesh {
  const name = `${kind}/${id}`;
  const known = cache.get(name);
  if (known) return known;
  const folder = join(model.folder, "public/data/proxies", kind, id);
  const json = JSON.parse(readFileSync(join(folder, `${id}.json`), "utf8")) as ProxyJson;
  const count = json.metadata.vertices;
  const texture = json.materials.find((material) => material.mapDiffuse)?.mapDiffuse;
  const reference = Int32Array.from(json.ref_vIdxs.flat());
  const weight = Float32Array.from(json.weights.flat());
  const proxy: ProxyMesh = {
    name,
    mesh: buildMesh(decodeFaces(json.faces), json.uvs[0] ?? [], count),
    reference,
    weight,
    offset: Float32Array.from(json.offsets.flat()),
    chain: json.bones
      ? chainWeights({ bones: json.bones }, json.skinIndices, json.skinWeights, json.influencesPerVertex, count)
      : followedChain(model, reference, weight, count),
    hides: Uint8Array.from(json.metadata.deleteVerts),
    texture: texture && join(folder, texture),
  };
  cache.set(name, proxy);
  return proxy;
}

/** A proxy moves as the body positions that it follows. */
function followedChain(model: BodyModel, reference: Int32Array, weight: Float32Array, count: number): Float32Array {
  const out = new Float32Array(count * 5);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < 3; k++) {
      const share = Math.max(0, weight[3 * i + k]);
      for (let link = 0; link < 5; link++) out[5 * i + link] += share * model.chain[5 * reference[3 * i + k] + link];
    }
    const sum = out.subarray(5 * i, 5 * i + 5).reduce((a, b) => a + b, 0);
    for (let link = 0; link < 5; link++) out[5 * i + link] = sum > 0 ? out[5 * i + link] / sum : Number(link === 4);
  }
  return out;
}

/** Pairs of positions whose distance along an axis says how large a head is. */
const SCALE_PAIRS = [
  [5399, 11998],
  [791, 881],
  [962, 5320],
] as const;

/** How much larger a morphed head is than the base, along x, y and z: offsets grow with it. */
export function offsetScale(model: BodyModel, positions: Float32Array): Vec3 {
  const size = (of: Float32Array, axis: number) => {
    const [a, b] = SCALE_PAIRS[axis];
    return Math.abs(of[3 * a + axis] - of[3 * b + axis]);
  };
  const [x, y, z] = [0, 1, 2].map((axis) => size(positions, axis) / size(model.positions, axis));
  return [x, y, z];
}

/** Positions of a worn mesh on a morphed body. */
export function fitProxy(proxy: ProxyMesh, positions: Float32Array, scale: Vec3, out: Float32Array): void {
  const { reference, weight, offset } = proxy;
  for (let i = 0; i < out.length; i += 3) {
    const a = reference[i] * 3;
    const b = reference[i + 1] * 3;
    const c = reference[i + 2] * 3;
    for (let k = 0; k < 3; k++) {
      out[i + k] =
        weight[i] * positions[a + k] +
        weight[i + 1] * positions[b + k] +
        weight[i + 2] * positions[c + k] +
        offset[i + k] * scale[k];
    }
  }
}
