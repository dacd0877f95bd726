import type { DepthMap } from "./depth-map.ts";
import { type Camera, CENTRE, type Frame, PLACE_X, PLACE_Y, SAMPLES } from "./frame.ts";
import type { Lamp } from "./light.ts";
import type { Material } from "./part.ts";
import type { Scene } from "./scene.ts";
import { sampleTexture } from "./texture.ts";

export interface LitLamp extends Lamp {
  shadow: DepthMap;
}

/** A place on a surface, as shading sees it. One is reused for all samples, so that shading makes no garbage. */
export class Spot {
  material!: Material;
  /** The triangle's vertices, and their weights. */
  a = 0;
  b = 0;
  c = 0;
  wa = 0.5;
  wb = 0.5;
  wc = 0.5;
  x = 0.5;
  y = 0.5;
  z = 0.5;
  nx = 0.5;
  ny = 0.5;
  nz = 0.5;
  /** Towards the camera. */
  vx = 0.5;
  vy = 0.5;
  vz = 0.5;
  gloss = 0.5;
  readonly albedo = new Float64Array(3);
  /** Light from the surroundings. */
  readonly ambient = new Float32Array(3);

  /** @param everySample whether all samples are shaded; if not, powers are computed a faster way, which differs in the last bit */
  constructor(readonly everySample: boolean) {}

  /** Moves the weights into the triangle: the centre of a pixel may lie just beside it. */
  holdInside(): void {
    const wa = Math.max(0, this.wa);
    const wb = Math.max(0, this.wb);
    const wc = Math.max(0, this.wc);
    const scale = 1 / (wa + wb + wc);
    this.wa = wa * scale;
    this.wb = wb * scale;
    this.wc = wc * scale;
  }
}

/** x⁵. */
export function fifthPower(x: number, { everySample }: Spot): number {
  return everySample ? x ** 5 : x * x * x * x * x;
}

/** Colours every sample of the opaque surfaces, or the centre of whole pixels. */
export function shadeOpaque(
  frame: Frame,
  scene: Scene,
  camera: Camera,
  ambient: Float32Array,
  lamps: readonly LitLamp[],
  everySample: boolean,
): void {
  const { size, side, whole, triangle, step } = frame;
  const shader = new Shader(frame, scene, camera, ambient, lamps, everySample);
  for (let y = 0, i = 0; y < size; y++) {
    for (let x = 0, first = y * SAMPLES * side; x < size; x++, i++, first += SAMPLES) {
      if (whole[i]) {
        if (triangle[first] >= 0) shader.shade(x, y, CENTRE);
      } else for (let k = 0; k < CENTRE; k++) if (triangle[first + step[k]] >= 0) shader.shade(x, y, k);
    }
  }
}

class Shader {
  readonly #spot: Spot;
  readonly #sample = new Float32Array(4);
  readonly #out = new Float32Array(3);

  constructor(
    readonly frame: Frame,
    readonly scene: Scene,
    readonly camera: Camera,
    readonly ambient: Float32Array,
    readonly lamps: readonly LitLamp[],
    everySample: boolean,
  ) {
    this.#spot = new Spot(everySample);
  }

  /** Colours place `k` of a pixel. */
  shade(x: number, y: number, k: number): void {
    const { frame, scene, camera } = this;
    const { side, depth, colour, face, step } = frame;
    const spot = this.#spot;
    const out = this.#out;
    const p = (y * side + x) * SAMPLES + step[k];
    const t = frame.triangle[p];
    const number = scene.partOfTriangle[t];
    const { material, faceVertices } = scene.parts[number];
    const qx = x * SAMPLES + PLACE_X[k];
    const qy = y * SAMPLES + PLACE_Y[k];
    spot.material = material;
    weigh(spot, frame, scene.corner, t, qx, qy);
    if (k === CENTRE) spot.holdInside();
    // A whole pixel's depth is that of its centre.
    const z = k === CENTRE ? -4 / (depth[p] + depth[p + 1] + depth[p + side] + depth[p + side + 1]) : -1 / depth[p];
    spot.z = z;
    spot.x = (-(qx - camera.width / 2) * z) / camera.focal;
    spot.y = ((qy - camera.height / 2) * z) / camera.focal;
    place(spot, scene, this.ambient);
    albedo(spot, scene.uv, this.#sample);
    if (material.surface === "eye") {
      // The upper lid and lashes shade the eyeball.
      for (let j = 0; j < 3; j++) spot.ambient[j] *= 0.85;
    }
    light(spot, this.lamps, out);
    colour[3 * p] = out[0];
    colour[3 * p + 1] = out[1];
    colour[3 * p + 2] = out[2];
    if (material.face) face[p] = 1;
    else if (faceVertices) face[p] = Number(between(spot, faceVertices, scene.offsets[number]) > 0.5);
  }
}

/** A value of the vertices of a part, which begin at `start`, at the spot. */
function between({ a, b, c, wa, wb, wc }: Spot, values: Uint8Array, start: number): number {
  return values[a - start] * wa + values[b - start] * wb + values[c - start] * wc;
}

/** Fills the vertices of a triangle and their weights at a place on the screen. */
function weigh(spot: Spot, { screen: s }: Frame, corner: Uint32Array, t: number, qx: number, qy: number): void {
  const a = corner[3 * t];
  const b = corner[3 * t + 1];
  const c = corner[3 * t + 2];
  const ax = s[3 * a] - qx;
  const ay = s[3 * a + 1] - qy;
  const bx = s[3 * b] - qx;
  const by = s[3 * b + 1] - qy;
  const cx = s[3 * c] - qx;
  const cy = s[3 * c + 1] - qy;
  // Screen weights times 1 / distance: perspective-correct once they sum to 1.
  const wa = (bx * cy - cx * by) * s[3 * a + 2];
  const wb = (cx * ay - ax * cy) * s[3 * b + 2];
  const wc = (ax * by - bx * ay) * s[3 * c + 2];
  const scale = 1 / (wa + wb + wc);
  spot.a = a;
  spot.b = b;
  spot.c = c;
  spot.wa = wa * scale;
  spot.wb = wb * scale;
  spot.wc = wc * scale;
}

/** Fills normal, view direction and ambient light of a spot between its vertices. */
export function place(spot: Spot, { normal: n }: Scene, ambient: Float32Array): void {
  const { wa, wb, wc, x, y, z } = spot;
  const a = 3 * spot.a;
  const b = 3 * spot.b;
  const c = 3 * spot.c;
  const nx = wa * n[a] + wb * n[b] + wc * n[c];
  const ny = wa * n[a + 1] + wb * n[b + 1] + wc * n[c + 1];
  const nz = wa * n[a + 2] + wb * n[b + 2] + wc * n[c + 2];
  const scale = 1 / (Math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9);
  spot.nx = nx * scale;
  spot.ny = ny * scale;
  spot.nz = nz * scale;
  const away = 1 / Math.sqrt(x * x + y * y + z * z);
  spot.vx = -x * away;
  spot.vy = -y * away;
  spot.vz = -z * away;
  for (let k = 0; k < 3; k++) spot.ambient[k] = wa * ambient[a + k] + wb * ambient[b + k] + wc * ambient[c + k];
}

/** Fills colour and gloss of a spot from its material's texture. */
function albedo(spot: Spot, uv: Float32Array, sample: Float32Array): void {
  const { a, b, c, wa, wb, wc, albedo: rgb } = spot;
  const { texture, window, tint, gloss, surface } = spot.material;
  spot.gloss = gloss;
  rgb[0] = tint[0];
  rgb[1] = tint[1];
  rgb[2] = tint[2];
  if (!texture) return;
  let u = wa * uv[2 * a] + wb * uv[2 * b] + wc * uv[2 * c];
  let v = wa * uv[2 * a + 1] + wb * uv[2 * b + 1] + wc * uv[2 * c + 1];
  if (window) {
    u = (u - window.u0) / (window.u1 - window.u0);
    v = (v - window.v0) / (window.v1 - window.v0);
  }
  sampleTexture(texture, u, v, sample);
  for (let k = 0; k < 3; k++) rgb[k] *= sample[k];
  if (surface === "skin") spot.gloss = sample[3];
}

/** Light that leaves a spot towards the camera. */
function light(spot: Spot, lamps: readonly LitLamp[], out: Float32Array): void {
  const { x, y, z, nx, ny, nz, ambient, albedo: rgb } = spot;
  const skin = spot.material.surface === "skin";
  let dr = ambient[0];
  let dg = ambient[1];
  let db = ambient[2];
  let sr = 0;
  let sg = 0;
  let sb = 0;
  const facing = Math.max(0.05, nx * spot.vx + ny * spot.vy + nz * spot.vz);
  for (let i = 0; i < lamps.length; i++) {
    const { direction: d, colour, softness, shadow } = lamps[i];
    const nl = nx * d[0] + ny * d[1] + nz * d[2];
    if (nl < (skin ? -0.3 : 0)) continue;
    const lit = spot.everySample
      ? shadow.lit(x + nx * 0.02, y + ny * 0.02, z + nz * 0.02, 0.015, softness * 0.5)
      : shadow.litSoftly(x + nx * 0.02, y + ny * 0.02, z + nz * 0.02, 0.015, softness * 0.5);
    if (lit === 0) continue;
    if (skin) {
      // Light enters skin and leaves it elsewhere, red furthest: it reaches around the edge of the shadow.
      const soft = Math.sqrt(lit);
      dr += Math.max(0, (nl + 0.3) * 0.77) * (lit + (soft - lit) * 0.7) * colour[0];
      dg += Math.max(0, (nl + 0.13) * 0.885) * (lit + (soft - lit) * 0.2) * colour[1];
      db += Math.max(0, (nl + 0.06) * 0.943) * lit * colour[2];
    } else {
      dr += nl * lit * colour[0];
      dg += nl * lit * colour[1];
      db += nl * lit * colour[2];
    }
    if (nl > 0) {
      const shine = highlight(spot, d, nl, facing) * lit;
      sr += shine * colour[0];
      sg += shine * colour[1];
      sb += shine * colour[2];
    }
  }
  // A glancing view mirrors the surroundings.
  const glance = fifthPower(1 - facing, spot);
  const mirror = spot.gloss * (0.02 + 0.25 * glance);
  out[0] = rgb[0] * dr + sr + mirror * ambient[0];
  out[1] = rgb[1] * dg + sg + mirror * ambient[1];
  out[2] = rgb[2] * db + sb + mirror * ambient[2];
}

/** A microfacet highlight (GGX) of a rough dielectric; the eye's is small and sharp. */
function highlight(spot: Spot, d: readonly number[], nl: number, facing: number): number {
  const { nx, ny, nz, vx, vy, vz, gloss } = spot;
  const hx = d[0] + vx;
  const hy = d[1] + vy;
  const hz = d[2] + vz;
  const scale = 1 / Math.sqrt(hx * hx + hy * hy + hz * hz);
  const nh = Math.max(0, (nx * hx + ny * hy + nz * hz) * scale);
  const vh = Math.max(0, (vx * hx + vy * hy + vz * hz) * scale);
  if (spot.material.surface === "eye") return nh > 0.95 ? Math.exp((nh - 1) * 500) * 1.6 : 0;
  const alpha2 = 0.06;
  const q = nh * nh * (alpha2 - 1) + 1;
  const k = 0.28;
  const visible = 1 / ((nl * (1 - k) + k) * (facing * (1 - k) + k));
  const fresnel = 0.028 + 0.972 * fifthPower(1 - vh, spot);
  return (alpha2 / (q * q)) * visible * 0.25 * fresnel * gloss * nl;
}
