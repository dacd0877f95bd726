/** A triangle mesh whose render vertices (one for each pair of position and texture coordinate) point at positions. */
export interface Mesh {
  /** Render vertex → position. */
  source: Int32Array;
  /** Texture coordinates, v up. */
  uv: Float32Array;
  /** Three render vertices a triangle. */
  triangles: Uint32Array;
  /** How many positions there are. */
  positions: number;
}

export interface Face {
  vertices: number[];
  uv: number[];
  material: number;
}

/** Faces of the three.js JSON format 3: a bit field says what each face lists. */
export function decodeFaces(list: readonly number[]): Face[] {
  const faces: Face[] = [];
  for (let i = 0; i < list.length; ) {
    const type = list[i++];
    const corners = type & 1 ? 4 : 3;
    const vertices = list.slice(i, i + corners);
    i += corners;
    const material = type & 2 ? list[i++] : 0;
    if (type & 4) i++;
    const uv = type & 8 ? list.slice(i, i + corners) : [];
    if (type & 8) i += corners;
    if (type & 16) i++;
    if (type & 32) i += corners;
    if (type & 64) i++;
    if (type & 128) i += corners;
    faces.push({ vertices, uv, material });
  }
  return faces;
}

export function buildMesh(faces: readonly Face[], uvs: readonly number[], positions: number): Mesh {
  const known = new Map<number, number>();
  const source: number[] = [];
  const uv: number[] = [];
  const triangles: number[] = [];
  const vertexOf = (position: number, texture: number) => {
    const key = position * 65536 + texture;
    const found = known.get(key);
    if (found !== undefined) return found;
    const made = source.length;
    known.set(key, made);
    source.push(position);
    uv.push(uvs[2 * texture] ?? 0, uvs[2 * texture + 1] ?? 0);
    return made;
  };
  for (const face of faces) {
    const corners = face.vertices.map((vertex, i) => vertexOf(vertex, face.uv[i] ?? 0));
    for (let k = 2; k < corners.length; k++) {
      const positionsOf = [face.vertices[0], face.vertices[k - 1], face.vertices[k]];
      if (new Set(positionsOf).size === 3) triangles.push(corners[0], corners[k - 1], corners[k]);
    }
  }
  return {
    source: Int32Array.from(source),
    uv: Float32Array.from(uv),
    triangles: Uint32Array.from(triangles),
    positions,
  };
}

/** The part of a mesh whose triangles `keep` accepts. */
export function subMesh(mesh: Mesh, keep: (a: number, b: number, c: number) => boolean): Mesh {
  const triangles: number[] = [];
  for (let t = 0; t < mesh.triangles.length; t += 3) {
    const [a, b, c] = mesh.triangles.subarray(t, t + 3);
    if (keep(a, b, c)) triangles.push(a, b, c);
  }
  return { ...mesh, triangles: Uint32Array.from(triangles) };
}

/** Unit normals of positions: the sum of the normals of the faces around, by area. */
export function positionNormals(positions: Float32Array, meshes: readonly Mesh[], normals: Float32Array): void {
  normals.fill(0);
  for (const { triangles, source } of meshes) {
    for (let t = 0; t < triangles.length; t += 3) {
      const a = source[triangles[t]] * 3;
      const b = source[triangles[t + 1]] * 3;
      const c = source[triangles[t + 2]] * 3;
      const ux = positions[b] - positions[a];
      const uy = positions[b + 1] - positions[a + 1];
      const uz = positions[b + 2] - positions[a + 2];
      const vx = positions[c] - positions[a];
      const vy = positions[c + 1] - positions[a + 1];
      const vz = positions[c + 2] - positions[a + 2];
      const x = uy * vz - uz * vy;
      const y = uz * vx - ux * vz;
      const z = ux * vy - uy * vx;
      normals[a] += x;
      normals[a + 1] += y;
      normals[a + 2] += z;
      normals[b] += x;
      normals[b + 1] += y;
      normals[b + 2] += z;
      normals[c] += x;
      normals[c + 1] += y;
      normals[c + 2] += z;
    }
  }
  for (let i = 0; i < normals.length; i += 3) {
    if (normals[i] === 0 && normals[i + 1] === 0 && normals[i + 2] === 0) continue; // on none of the meshes
    const length = Math.hypot(normals[i], normals[i + 1], normals[i + 2]);
    normals[i] /= length;
    normals[i + 1] /= length;
    normals[i + 2] /= length;
  }
}
