import { CHAIN_LINKS } from "./body-model.ts";
import type { Part } from "./part.ts";
import { sampleTexture } from "./texture.ts";
import { apply, type Mat3, multiply, partOf, transpose, type Vec3 } from "./vector.ts";

/** x' = rotation · x + shift */
export interface Placement {
  rotation: Mat3;
  shift: Vec3;
}

/** How much of the turn from body to head each joint of the neck takes. */
const SHARES = [0.14, 0.2, 0.26, 0.4];

/** Placements of body, neck01–03 and head, when the head is turned against the body. */
export function chainPlacements(body: Mat3, head: Mat3, joints: readonly Vec3[]): Placement[] {
  const turn = multiply(transpose(body), head);
  const placements: Placement[] = [{ rotation: body, shift: [0, 0, 0] }];
  for (const [i, joint] of joints.entries()) {
    const { rotation, shift } = placements[i];
    const step = partOf(turn, SHARES[i]);
    const moved = apply(step, joint);
    const slip = apply(rotation, [joint[0] - moved[0], joint[1] - moved[1], joint[2] - moved[2]]);
    placements.push({
      rotation: multiply(rotation, step),
      shift: [shift[0] + slip[0], shift[1] + slip[1], shift[2] + slip[2]],
    });
  }
  return placements;
}

/** All parts of a picture as flat arrays: vertices in the frame they were placed in, and triangles. */
export class Scene {
  vertices = 0;
  triangles = 0;
  parts: Part[] = [];
  /** First vertex of each part. */
  offsets: number[] = [];
  position = new Float32Array(0);
  normal = new Float32Array(0);
  uv = new Float32Array(0);
  corner = new Uint32Array(0);
  partOfTriangle = new Uint8Array(0);
  /** 1 where a triangle of a card is nearly transparent: it casts no shadow. */
  thin = new Uint8Array(0);

  /** Puts parts in place. Buffers are reused from picture to picture. */
  fill(parts: readonly Part[], placements: readonly Placement[]): void {
    const vertexCount = parts.reduce((sum, { mesh }) => sum + mesh.source.length, 0);
    const triangleCount = parts.reduce((sum, { mesh }) => sum + mesh.triangles.length / 3, 0);
    if (vertexCount * 3 > this.position.length) {
      this.position = new Float32Array(vertexCount * 4);
      this.normal = new Float32Array(vertexCount * 4);
      this.uv = new Float32Array(vertexCount * 3);
    }
    if (triangleCount * 3 > this.corner.length) {
      this.corner = new Uint32Array(triangleCount * 4);
      this.partOfTriangle = new Uint8Array(triangleCount * 2);
      this.thin = new Uint8Array(triangleCount * 2);
    }
    this.parts = [...parts];
    this.offsets = [];
    this.vertices = 0;
    this.triangles = 0;
    for (const [i, part] of parts.entries()) this.#add(part, i, placements);
  }

  #add(part: Part, number: number, placements: readonly Placement[]): void {
    const { mesh, positions, normals, chain } = part;
    const { position, normal } = this;
    const start = this.vertices;
    this.offsets.push(start);
    for (let i = 0; i < mesh.source.length; i++) {
      const at = mesh.source[i] * 3;
      const out = (start + i) * 3;
      const x = positions[at];
      const y = positions[at + 1];
      const z = positions[at + 2];
      const nx = normals[at];
      const ny = normals[at + 1];
      const nz = normals[at + 2];
      let [px, py, pz, qx, qy, qz] = [0, 0, 0, 0, 0, 0];
      const link = mesh.source[i] * CHAIN_LINKS;
      for (let k = 0; k < CHAIN_LINKS; k++) {
        const w = chain[link + k];
        if (w === 0) continue;
        const { rotation: r, shift: s } = placements[k];
        px += w * (r[0] * x + r[1] * y + r[2] * z + s[0]);
        py += w * (r[3] * x + r[4] * y + r[5] * z + s[1]);
        pz += w * (r[6] * x + r[7] * y + r[8] * z + s[2]);
        qx += w * (r[0] * nx + r[1] * ny + r[2] * nz);
        qy += w * (r[3] * nx + r[4] * ny + r[5] * nz);
        qz += w * (r[6] * nx + r[7] * ny + r[8] * nz);
      }
      const scale = 1 / (Math.sqrt(qx * qx + qy * qy + qz * qz) + 1e-9);
      position[out] = px;
      position[out + 1] = py;
      position[out + 2] = pz;
      normal[out] = qx * scale;
      normal[out + 1] = qy * scale;
      normal[out + 2] = qz * scale;
    }
    this.uv.set(mesh.uv, start * 2);
    const first = this.triangles;
    const count = mesh.triangles.length / 3;
    for (let k = 0; k < mesh.triangles.length; k++) this.corner[first * 3 + k] = mesh.triangles[k] + start;
    this.partOfTriangle.fill(number, first, first + count);
    this.thin.set(thinTriangles(part), first);
    this.vertices += mesh.source.length;
    this.triangles += count;
  }
}

const thinCache = new WeakMap<Uint32Array, Uint8Array>();

/** 1 for triangles of cards whose texture is mostly transparent, and for glass. */
function thinTriangles({ mesh, material }: Part): Uint8Array {
  const known = thinCache.get(mesh.triangles);
  if (known) return known;
  const count = mesh.triangles.length / 3;
  const thin = new Uint8Array(count);
  if (material.surface === "glass" || material.surface === "lash") thin.fill(1);
  else if (material.texture && (material.surface === "hair" || material.surface === "brow")) {
    const sample = new Float32Array(4);
    for (let t = 0; t < count; t++) {
      const [a, b, c] = mesh.triangles.subarray(3 * t, 3 * t + 3);
      const u = (mesh.uv[2 * a] + mesh.uv[2 * b] + mesh.uv[2 * c]) / 3;
      const v = (mesh.uv[2 * a + 1] + mesh.uv[2 * b + 1] + mesh.uv[2 * c + 1]) / 3;
      sampleTexture(material.texture, u, v, sample);
      thin[t] = Number(sample[3] < 0.45 || material.surface === "brow");
    }
  }
  thinCache.set(mesh.triangles, thin);
  return thin;
}
