import type { Material } from "./part.ts";
import { drawTriangle } from "./raster.ts";
import type { Scene } from "./scene.ts";

/** A perspective camera at the origin that looks along −z. */
export interface Camera {
  /** Focal length, in samples. */
  focal: number;
  width: number;
  height: number;
}

/** Samples of a pixel, in each direction. */
export const SAMPLES = 2;
/** Where a pixel's samples lie, and last its centre, from its corner, in samples. */
export const PLACE_X = [0.5, 1.5, 0.5, 1.5, 1] as const;
export const PLACE_Y = [0.5, 0.5, 1.5, 1.5, 1] as const;
export const CENTRE = 4;

/** Side of a tile, in samples. */
const TILE = 16;

/**
 * A picture in the making, of 2 × 2 samples a pixel: depth, which triangle each sample shows, and linear colour. A pixel
 * whose samples all show one surface may be whole: it has one colour, kept at its first sample.
 */
export class Frame {
  /** Side of the picture, in pixels. */
  readonly size: number;
  /** Samples in a row, and rows of samples. */
  readonly side: number;
  /** 1 for each whole pixel. */
  readonly whole: Uint8Array;
  /** 1 / distance of the nearest opaque surface; 0 where there is none. */
  readonly depth: Float32Array;
  /** Triangle in each sample, −1 for the background. */
  readonly triangle: Int32Array;
  readonly colour: Float32Array;
  /** 1 where a sample is the face. */
  readonly face: Uint8Array;
  /** From a pixel's first sample to each of its places. */
  readonly step: readonly number[];
  /** The least depth in each tile of samples. */
  readonly #tiles: Float32Array;
  readonly #tilesAcross: number;
  /** Screen place (x, y, in samples) and 1 / distance of each vertex. */
  screen = new Float32Array(0);

  constructor(size: number) {
    this.size = size;
    this.side = size * SAMPLES;
    const samples = this.side * this.side;
    this.whole = new Uint8Array(size * size);
    this.depth = new Float32Array(samples);
    this.triangle = new Int32Array(samples);
    this.colour = new Float32Array(samples * 3);
    this.face = new Uint8Array(samples);
    this.#tilesAcross = Math.ceil(this.side / TILE);
    this.#tiles = new Float32Array(this.#tilesAcross ** 2);
    this.step = [0, 1, this.side, this.side + 1, 0];
  }

  clear(): void {
    this.whole.fill(0);
    this.depth.fill(0);
    this.triangle.fill(-1);
    this.face.fill(0);
  }

  project(scene: Scene, { focal, width, height }: Camera): void {
    if (this.screen.length < scene.vertices * 3) this.screen = new Float32Array(scene.vertices * 4);
    const { screen } = this;
    const { position } = scene;
    for (let i = 0; i < scene.vertices * 3; i += 3) {
      const near = -1 / position[i + 2];
      screen[i] = width / 2 + position[i] * focal * near;
      screen[i + 1] = height / 2 - position[i + 1] * focal * near;
      screen[i + 2] = near;
    }
  }

  /**
   * Finds the nearest opaque triangle of every sample.
   * @param closed whether to take skin and eyes for closed surfaces, whose far sides do not show: in 30 pictures 4 of
   * 2.8 million samples did
   */
  drawOpaque(scene: Scene, closed: boolean): void {
    const { corner, parts, partOfTriangle } = scene;
    const { screen: s, side, depth, triangle } = this;
    const opaque = parts.map(({ material }) => isOpaque(material));
    const oneSided = parts.map(({ material }) => closed && material.surface !== "plain");
    for (let t = 0; t < scene.triangles; t++) {
      const part = partOfTriangle[t];
      if (!opaque[part]) continue;
      if (oneSided[part] && turnedArea(s, corner, t) > 0) continue;
      drawTriangle(s, corner, t, side, depth, triangle);
    }
    this.#tile();
  }

  /** 1 for each vertex of a triangle that shows in some sample, and of every card. */
  seenVertices({ corner, parts, offsets, vertices, triangles }: Scene): Uint8Array {
    const { triangle } = this;
    const seen = new Uint8Array(vertices);
    const known = new Uint8Array(triangles);
    for (let p = 0; p < triangle.length; p++) {
      const t = triangle[p];
      if (t < 0 || known[t]) continue;
      known[t] = 1;
      for (let k = 3 * t; k < 3 * t + 3; k++) seen[corner[k]] = 1;
    }
    for (const [i, { material, mesh }] of parts.entries()) {
      if (!isOpaque(material)) seen.fill(1, offsets[i], offsets[i] + mesh.source.length);
    }
    return seen;
  }

  #tile(): void {
    const { side, depth } = this;
    this.#tiles.fill(Number.POSITIVE_INFINITY);
    for (let y = 0, p = 0; y < side; y++) {
      const row = Math.floor(y / TILE) * this.#tilesAcross;
      for (let x = 0; x < side; x++, p++) {
        const tile = row + ((x / TILE) | 0);
        if (depth[p] < this.#tiles[tile]) this.#tiles[tile] = depth[p];
      }
    }
  }

  /** Whether all samples from (x0, y0) to (x1, y1) show something nearer than `near`, so far as tiles can tell. */
  hides(near: number, x0: number, y0: number, x1: number, y1: number): boolean {
    for (let y = Math.floor(y0 / TILE); y * TILE <= y1; y++) {
      for (let x = Math.floor(x0 / TILE); x * TILE <= x1; x++) {
        if (this.#tiles[y * this.#tilesAcross + x] <= near) return false;
      }
    }
    return true;
  }

  /**
   * Makes pixels whole whose samples all show one triangle and its neighbours, or nothing. Eyes are left as they are:
   * small, and full of detail.
   */
  merge({ corner, parts, partOfTriangle }: Scene): void {
    const { size, side, whole, triangle } = this;
    const fine = parts.map(({ material }) => material.surface === "eye");
    for (let y = 0, i = 0; y < size; y++) {
      for (let x = 0, p = y * SAMPLES * side; x < size; x++, i++, p += SAMPLES) {
        const t = triangle[p];
        const right = triangle[p + 1];
        const below = triangle[p + side];
        const across = triangle[p + side + 1];
        const joined = joins(corner, t, right) && joins(corner, t, below) && joins(corner, t, across);
        if (joined && !(t >= 0 && fine[partOfTriangle[t]])) whole[i] = 1;
      }
    }
  }

  /** Gives each sample of a whole pixel its colour. */
  split(pixel: number): void {
    const { size, side, whole, colour, face, step } = this;
    const first = (Math.floor(pixel / size) * side + (pixel % size)) * SAMPLES;
    for (let k = 1; k < CENTRE; k++) {
      const p = first + step[k];
      colour.copyWithin(3 * p, 3 * first, 3 * first + 3);
      face[p] = face[first];
    }
    whole[pixel] = 0;
  }
}

const isOpaque = ({ surface }: Material) => surface === "skin" || surface === "plain" || surface === "eye";

/** Twice a triangle's area on the screen, above 0 where its far side shows. */
function turnedArea(s: Float32Array, corner: Uint32Array, t: number): number {
  const a = corner[3 * t] * 3;
  const b = corner[3 * t + 1] * 3;
  const c = corner[3 * t + 2] * 3;
  return (s[b] - s[a]) * (s[c + 1] - s[a + 1]) - (s[c] - s[a]) * (s[b + 1] - s[a + 1]);
}

/** Whether two triangles (−1: none) are the same or share a vertex. */
function joins(corner: Uint32Array, t: number, u: number): boolean {
  if (t === u) return true;
  if (t < 0 || u < 0) return false;
  const a = corner[3 * t];
  const b = corner[3 * t + 1];
  const c = corner[3 * t + 2];
  for (let k = 3 * u; k < 3 * u + 3; k++) if (corner[k] === a || corner[k] === b || corner[k] === c) return true;
  return false;
}
