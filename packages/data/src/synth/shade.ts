import type { DepthMap } from "./depth-map.ts";
import type { Material } from "./figure.ts";
import type { Camera, Frame } from "./frame.ts";
import type { Lamp } from "./light.ts";
import type { Scene } from "./scene.ts";
import { sampleTexture } from "./texture.ts";

export interface LitLamp extends Lamp {
  shadow: DepthMap;
}

/** A place on a surface, as shading sees it. One is reused for all pixels. */
export interface Spot {
  material: Material;
  x: number;
  y: number;
  z: number;
  nx: number;
  ny: number;
  nz: number;
  /** Towards the camera. */
  vx: number;
  vy: number;
  vz: number;
  /** Albedo. */
  r: number;
  g: number;
  b: number;
  gloss: number;
  /** Light from the surroundings. */
  ambient: Float32Array;
}

/** Colours every pixel of the opaque surfaces. */
export function shadeOpaque(
  frame: Frame,
  scene: Scene,
  camera: Camera,
  ambient: Float32Array,
  lamps: readonly LitLamp[],
): void {
  const { width, height, triangle, screen: s, colour, face, depth } = frame;
  const sample = new Float32Array(4);
  const out = new Float32Array(3);
  const spot = { ambient: new Float32Array(3) } as Spot;
  for (let y = 0, p = 0; y < height; y++) {
    for (let x = 0; x < width; x++, p++) {
      const t = triangle[p];
      if (t < 0) continue;
      const a = scene.corner[3 * t];
      const b = scene.corner[3 * t + 1];
      const c = scene.corner[3 * t + 2];
      const qx = x + 0.5;
      const qy = y + 0.5;
      const ax = s[3 * a] - qx;
      const ay = s[3 * a + 1] - qy;
      const bx = s[3 * b] - qx;
      const by = s[3 * b + 1] - qy;
      const cx = s[3 * c] - qx;
      const cy = s[3 * c + 1] - qy;
      // Screen weights times 1 / distance: perspective-correct once they sum to 1.
      let wa = (bx * cy - cx * by) * s[3 * a + 2];
      let wb = (cx * ay - ax * cy) * s[3 * b + 2];
      let wc = (ax * by - bx * ay) * s[3 * c + 2];
      const scale = 1 / (wa + wb + wc);
      wa *= scale;
      wb *= scale;
      wc *= scale;

      const part = scene.parts[scene.partOfTriangle[t]];
      const { material } = part;
      spot.material = material;
      spot.z = -1 / depth[p];
      spot.x = (-(qx - camera.width / 2) * spot.z) / camera.focal;
      spot.y = ((qy - camera.height / 2) * spot.z) / camera.focal;
      place(spot, scene, ambient, a, b, c, wa, wb, wc);
      const u = wa * scene.uv[2 * a] + wb * scene.uv[2 * b] + wc * scene.uv[2 * c];
      const v = wa * scene.uv[2 * a + 1] + wb * scene.uv[2 * b + 1] + wc * scene.uv[2 * c + 1];
      albedo(spot, u, v, sample);
      if (material.surface === "eye") {
        // The upper lid and lashes shade the eyeball.
        for (let k = 0; k < 3; k++) spot.ambient[k] *= 0.85;
      }
      light(spot, lamps, out);
      colour[3 * p] = out[0];
      colour[3 * p + 1] = out[1];
      colour[3 * p + 2] = out[2];
      if (material.face) face[p] = 1;
      else if (part.faceVertices) {
        const start = scene.offsets[scene.partOfTriangle[t]];
        const inside =
          part.faceVertices[a - start] * wa + part.faceVertices[b - start] * wb + part.faceVertices[c - start] * wc;
        face[p] = Number(inside > 0.5);
      }
    }
  }
}

/** Fills normal, view direction and ambient light of a spot between three vertices. */
export function place(
  spot: Spot,
  scene: Scene,
  ambient: Float32Array,
  a: number,
  b: number,
  c: number,
  wa: number,
  wb: number,
  wc: number,
): void {
  const { normal: n } = scene;
  const nx = wa * n[3 * a] + wb * n[3 * b] + wc * n[3 * c];
  const ny = wa * n[3 * a + 1] + wb * n[3 * b + 1] + wc * n[3 * c + 1];
  const nz = wa * n[3 * a + 2] + wb * n[3 * b + 2] + wc * n[3 * c + 2];
  const scale = 1 / (Math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9);
  spot.nx = nx * scale;
  spot.ny = ny * scale;
  spot.nz = nz * scale;
  const away = 1 / Math.sqrt(spot.x * spot.x + spot.y * spot.y + spot.z * spot.z);
  spot.vx = -spot.x * away;
  spot.vy = -spot.y * away;
  spot.vz = -spot.z * away;
  for (let k = 0; k < 3; k++)
    spot.ambient[k] = wa * ambient[3 * a + k] + wb * ambient[3 * b + k] + wc * ambient[3 * c + k];
}

function albedo(spot: Spot, u: number, v: number, sample: Float32Array): void {
  const { texture, window, tint, gloss, surface } = spot.material;
  spot.r = tint[0];
  spot.g = tint[1];
  spot.b = tint[2];
  spot.gloss = gloss;
  if (!texture) return;
  if (window)
    sampleTexture(
      texture,
      (u - window.u0) / (window.u1 - window.u0),
      (v - window.v0) / (window.v1 - window.v0),
      sample,
    );
  else sampleTexture(texture, u, v, sample);
  spot.r *= sample[0];
  spot.g *= sample[1];
  spot.b *= sample[2];
  if (surface === "skin") spot.gloss = sample[3];
}

/** Light that leaves a spot towards the camera. */
function light(spot: Spot, lamps: readonly LitLamp[], out: Float32Array): void {
  const { x, y, z, nx, ny, nz, vx, vy, vz } = spot;
  const skin = spot.material.surface === "skin";
  let dr = spot.ambient[0];
  let dg = spot.ambient[1];
  let db = spot.ambient[2];
  let sr = 0;
  let sg = 0;
  let sb = 0;
  const facing = Math.max(0.05, nx * vx + ny * vy + nz * vz);
  for (let i = 0; i < lamps.length; i++) {
    const { direction: d, colour, softness, shadow } = lamps[i];
    const nl = nx * d[0] + ny * d[1] + nz * d[2];
    if (nl < -0.3) continue;
    const lit = shadow.softlyLit(x + nx * 0.02, y + ny * 0.02, z + nz * 0.02, 0.015, softness * 0.5);
    if (skin) {
      // Light enters skin and leaves it elsewhere, red furthest: it reaches around the edge of the shadow.
      const soft = Math.sqrt(lit);
      dr += Math.max(0, (nl + 0.3) * 0.77) * (lit + (soft - lit) * 0.7) * colour[0];
      dg += Math.max(0, (nl + 0.13) * 0.885) * (lit + (soft - lit) * 0.2) * colour[1];
      db += Math.max(0, (nl + 0.06) * 0.943) * lit * colour[2];
    } else if (nl > 0) {
      dr += nl * lit * colour[0];
      dg += nl * lit * colour[1];
      db += nl * lit * colour[2];
    }
    if (nl > 0 && lit > 0) {
      const shine = highlight(spot, d, nl, facing) * lit;
      sr += shine * colour[0];
      sg += shine * colour[1];
      sb += shine * colour[2];
    }
  }
  // A glancing view mirrors the surroundings.
  const glance = (1 - facing) ** 5;
  const mirror = spot.gloss * (0.02 + 0.25 * glance);
  out[0] = spot.r * dr + sr + mirror * spot.ambient[0];
  out[1] = spot.g * dg + sg + mirror * spot.ambient[1];
  out[2] = spot.b * db + sb + mirror * spot.ambient[2];
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
  const fresnel = 0.028 + 0.972 * (1 - vh) ** 5;
  return (alpha2 / (q * q)) * visible * 0.25 * fresnel * gloss * nl;
}
