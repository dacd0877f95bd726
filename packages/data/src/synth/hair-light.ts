import type { Scene } from "./scene.ts";
import type { LitLamp } from "./shade.ts";

/** Numbers a vertex of {@link lightHair}: diffuse light, then gleam, each red, green, blue. */
export const HAIR = 6;

/**
 * Light on every vertex of hair. Strands let it wrap around, and their two sides are alike. Hair has so many layers
 * that lighting it by pixel would cost more than all the rest of the picture.
 */
export function lightHair(scene: Scene, ambient: Float32Array, lamps: readonly LitLamp[]): Float32Array {
  const out = new Float32Array(scene.vertices * HAIR);
  const { position: p, normal: n } = scene;
  for (const [number, { material, mesh }] of scene.parts.entries()) {
    if (material.surface !== "hair") continue;
    const start = scene.offsets[number];
    for (let i = start; i < start + mesh.source.length; i++) {
      const k = 3 * i;
      const at = HAIR * i;
      for (let c = 0; c < 3; c++) out[at + c] = ambient[k + c];
      const away = 1 / Math.sqrt(p[k] * p[k] + p[k + 1] * p[k + 1] + p[k + 2] * p[k + 2]);
      const vx = -p[k] * away;
      const vy = -p[k + 1] * away;
      const vz = -p[k + 2] * away;
      const side = n[k] * vx + n[k + 1] * vy + n[k + 2] * vz < 0 ? -1 : 1;
      const nx = n[k] * side;
      const ny = n[k + 1] * side;
      const nz = n[k + 2] * side;
      for (const { direction: d, colour, shadow, softness } of lamps) {
        const nl = nx * d[0] + ny * d[1] + nz * d[2];
        if (nl < -0.35) continue;
        const x = p[k] + n[k] * 0.03;
        const lit = shadow.lit(x, p[k + 1] + n[k + 1] * 0.03, p[k + 2] + n[k + 2] * 0.03, 0.06, softness + 0.03);
        const hx = d[0] + vx;
        const hy = d[1] + vy;
        const hz = d[2] + vz;
        const nh = Math.max(0, (nx * hx + ny * hy + nz * hz) / Math.sqrt(hx * hx + hy * hy + hz * hz));
        const soft = Math.max(0, (nl + 0.35) * 0.6) * lit;
        const gleam = nh ** 12 * Math.max(0, nl + 0.2) * lit * material.gloss;
        for (let c = 0; c < 3; c++) {
          out[at + c] += soft * colour[c];
          out[at + 3 + c] += gleam * colour[c] * (0.02 + 0.3 * material.tint[c]);
        }
      }
    }
  }
  return out;
}
