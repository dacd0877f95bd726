import { drawTriangle } from "./raster.ts";
import type { Scene } from "./scene.ts";
import type { Vec3 } from "./vector.ts";

/** The places of a soft shadow, in spreads. */
const ACROSS = [0, 1, 1, -1, -1];
const UPWARDS = [0, 1, -1, 1, -1];

/** A view of the scene from a light, orthographic: the nearest depth in each direction. */
export class DepthMap {
  readonly size: number;
  readonly #depth: Float32Array;
  #right: Vec3 = [1, 0, 0];
  #up: Vec3 = [0, 1, 0];
  #towards: Vec3 = [0, 0, 1];
  #centre: Vec3 = [0, 0, 0];
  #scale = 1;
  #projected = new Float32Array(0);

  constructor(size: number) {
    this.size = size;
    this.#depth = new Float32Array(size * size);
  }

  /** Draws a scene as seen from `towards`; what lies further than `radius` from `centre` is left out. */
  draw(scene: Scene, towards: Vec3, centre: Vec3, radius: number): void {
    const { size } = this;
    const helper: Vec3 = Math.abs(towards[1]) < 0.9 ? [0, 1, 0] : [1, 0, 0];
    const right = unit(cross(helper, towards));
    const up = cross(towards, right);
    [this.#right, this.#up, this.#towards, this.#centre] = [right, up, towards, centre];
    this.#scale = size / 2 / radius;
    this.#depth.fill(Number.NEGATIVE_INFINITY);

    const { position } = scene;
    if (this.#projected.length < scene.vertices * 3) this.#projected = new Float32Array(scene.vertices * 4);
    const projected = this.#projected;
    for (let i = 0; i < scene.vertices * 3; i += 3) {
      const x = position[i] - centre[0];
      const y = position[i + 1] - centre[1];
      const z = position[i + 2] - centre[2];
      projected[i] = (x * right[0] + y * right[1] + z * right[2]) * this.#scale + size / 2;
      projected[i + 1] = (x * up[0] + y * up[1] + z * up[2]) * this.#scale + size / 2;
      projected[i + 2] = x * towards[0] + y * towards[1] + z * towards[2];
    }
    for (let t = 0; t < scene.triangles; t++) {
      if (!scene.thin[t]) drawTriangle(projected, scene.corner, t, size, this.#depth);
    }
  }

  /**
   * Share of the light that reaches a place, 0…1: four neighbouring texels, each lit or not. With a spread (in
   * decimetres) the shadow's edge is soft: the mean of the place and four around.
   */
  lit(x: number, y: number, z: number, bias: number, spread = 0): number {
    const { size } = this;
    const depth = this.#depth;
    const scale = this.#scale;
    const [rx, ry, rz] = this.#right;
    const [ux, uy, uz] = this.#up;
    const [tx, ty, tz] = this.#towards;
    const [cx, cy, cz] = this.#centre;
    const taps = spread > 0 ? 5 : 1;
    let sum = 0;
    const softBias = bias + spread * 0.4;
    for (let i = 0; i < taps; i++) {
      const a = spread * ACROSS[i];
      const b = spread * UPWARDS[i];
      const dx = x + rx * a + ux * b - cx;
      const dy = y + ry * a + uy * b - cy;
      const dz = z + rz * a + uz * b - cz;
      const sx = (dx * rx + dy * ry + dz * rz) * scale + size / 2 - 0.5;
      const sy = (dx * ux + dy * uy + dz * uz) * scale + size / 2 - 0.5;
      const ix = Math.floor(sx);
      const iy = Math.floor(sy);
      if (ix < 0 || iy < 0 || ix + 1 >= size || iy + 1 >= size) {
        sum += 1;
        continue;
      }
      const own = dx * tx + dy * ty + dz * tz + (i > 0 ? softBias : bias);
      const fx = sx - ix;
      const fy = sy - iy;
      const at = iy * size + ix;
      let share = 0;
      if (depth[at] <= own) share += (1 - fx) * (1 - fy);
      if (depth[at + 1] <= own) share += fx * (1 - fy);
      if (depth[at + size] <= own) share += (1 - fx) * fy;
      if (depth[at + size + 1] <= own) share += fx * fy;
      sum += share;
    }
    return sum / taps;
  }

  /** The same with a spread, with its places found in the map's own plane: faster, but not to the last bit. */
  litSoftly(x: number, y: number, z: number, bias: number, spread: number): number {
    const { size } = this;
    const depth = this.#depth;
    const r = this.#right;
    const u = this.#up;
    const t = this.#towards;
    const dx = x - this.#centre[0];
    const dy = y - this.#centre[1];
    const dz = z - this.#centre[2];
    const cx = (dx * r[0] + dy * r[1] + dz * r[2]) * this.#scale + size / 2 - 0.5;
    const cy = (dx * u[0] + dy * u[1] + dz * u[2]) * this.#scale + size / 2 - 0.5;
    const own = dx * t[0] + dy * t[1] + dz * t[2] + bias;
    const reach = spread * this.#scale;
    if (cx < reach || cy < reach || cx + reach >= size - 1 || cy + reach >= size - 1) return 1;
    let sum = 0;
    for (let i = 0; i < 5; i++) {
      const sx = cx + reach * ACROSS[i];
      const sy = cy + reach * UPWARDS[i];
      const at = (sy | 0) * size + (sx | 0);
      const fx = sx - (sx | 0);
      const fy = sy - (sy | 0);
      const limit = i > 0 ? own + spread * 0.4 : own;
      const top = (depth[at] <= limit ? 1 - fx : 0) + (depth[at + 1] <= limit ? fx : 0);
      const bottom = (depth[at + size] <= limit ? 1 - fx : 0) + (depth[at + size + 1] <= limit ? fx : 0);
      sum += top + (bottom - top) * fy;
    }
    return sum / 5;
  }
}

function cross(a: Vec3, b: Vec3): Vec3 {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function unit(v: Vec3): Vec3 {
  const length = Math.hypot(...v);
  return [v[0] / length, v[1] / length, v[2] / length];
}
