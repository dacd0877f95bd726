import type { Material } from "./figure.ts";
import type { Camera, Frame } from "./frame.ts";
import type { Scene } from "./scene.ts";
import { type LitLamp, place, type Spot } from "./shade.ts";
import { luminance, sampleTexture } from "./texture.ts";

/** Cards that lie on the skin are lifted by this share of the depth, or they would sink into it. */
const LIFT = { hair: 0.0002, brow: 0.0012, lash: 0.0012, glass: 0 } as const;
type Card = keyof typeof LIFT;

/** Draws hair, brows, lashes and glass over the opaque surfaces, from far to near. */
export function drawCards(
  frame: Frame,
  scene: Scene,
  camera: Camera,
  ambient: Float32Array,
  lamps: readonly LitLamp[],
): void {
  const surfaces = scene.parts.map(({ material }) => material.surface);
  const cards: number[] = [];
  for (let t = 0; t < scene.triangles; t++) if (surfaces[scene.partOfTriangle[t]] in LIFT) cards.push(t);
  const { screen: s } = frame;
  const near = new Float32Array(scene.triangles);
  for (const t of cards) {
    const { corner } = scene;
    near[t] = s[3 * corner[3 * t] + 2] + s[3 * corner[3 * t + 1] + 2] + s[3 * corner[3 * t + 2] + 2];
  }
  const order = Uint32Array.from(cards).sort((a, b) => near[a] - near[b]);
  const painter = new CardPainter(frame, scene, camera, ambient, lamps, lightHair(scene, ambient, lamps));
  for (const t of order) painter.triangle(t);
}

/** Numbers a vertex of {@link lightHair}: diffuse light, then gleam, each red, green, blue. */
const HAIR = 6;

/**
 * Light on every vertex of hair. Strands let it wrap around, and their two sides are alike. Hair has so many layers
 * that lighting it by pixel would cost more than all the rest of the picture.
 */
function lightHair(scene: Scene, ambient: Float32Array, lamps: readonly LitLamp[]): Float32Array {
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
        const lit = shadow.softlyLit(x, p[k + 1] + n[k + 1] * 0.03, p[k + 2] + n[k + 2] * 0.03, 0.06, softness + 0.03);
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

class CardPainter {
  readonly #sample = new Float32Array(4);
  readonly #spot = { ambient: new Float32Array(3) } as Spot;

  constructor(
    readonly frame: Frame,
    readonly scene: Scene,
    readonly camera: Camera,
    readonly ambient: Float32Array,
    readonly lamps: readonly LitLamp[],
    readonly hairLight: Float32Array,
  ) {}

  triangle(t: number): void {
    const { frame, scene } = this;
    const { screen: s, width, height, depth } = frame;
    const { material } = scene.parts[scene.partOfTriangle[t]];
    const lift = 1 + LIFT[material.surface as Card];
    const a = scene.corner[3 * t];
    const b = scene.corner[3 * t + 1];
    const c = scene.corner[3 * t + 2];
    const [ax, ay, bx, by, cx, cy] = [s[3 * a], s[3 * a + 1], s[3 * b], s[3 * b + 1], s[3 * c], s[3 * c + 1]];
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    if (Math.abs(area) < 1e-9) return;
    const x0 = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5));
    const x1 = Math.min(width - 1, Math.floor(Math.max(ax, bx, cx) - 0.5));
    const y0 = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5));
    const y1 = Math.min(height - 1, Math.floor(Math.max(ay, by, cy) - 0.5));
    const inverse = 1 / area;
    for (let y = y0; y <= y1; y++) {
      for (let x = x0; x <= x1; x++) {
        const qx = x + 0.5;
        const qy = y + 0.5;
        const la = ((bx - qx) * (cy - qy) - (cx - qx) * (by - qy)) * inverse;
        const lb = ((cx - qx) * (ay - qy) - (ax - qx) * (cy - qy)) * inverse;
        const lc = 1 - la - lb;
        if (la < 0 || lb < 0 || lc < 0) continue;
        const near = la * s[3 * a + 2] + lb * s[3 * b + 2] + lc * s[3 * c + 2];
        const p = y * width + x;
        if (near * lift < depth[p]) continue;
        const far = 1 / near;
        this.#pixel(t, p, qx, qy, near, la * s[3 * a + 2] * far, lb * s[3 * b + 2] * far, lc * s[3 * c + 2] * far);
      }
    }
  }

  #locate(
    material: Material,
    a: number,
    b: number,
    c: number,
    wa: number,
    wb: number,
    wc: number,
    qx: number,
    qy: number,
    near: number,
  ): Spot {
    const { camera } = this;
    const spot = this.#spot;
    spot.material = material;
    spot.z = -1 / near;
    spot.x = (-(qx - camera.width / 2) * spot.z) / camera.focal;
    spot.y = ((qy - camera.height / 2) * spot.z) / camera.focal;
    place(spot, this.scene, this.ambient, a, b, c, wa, wb, wc);
    return spot;
  }

  #pixel(t: number, p: number, qx: number, qy: number, near: number, wa: number, wb: number, wc: number): void {
    const { scene } = this;
    const { colour, face } = this.frame;
    const { material } = scene.parts[scene.partOfTriangle[t]];
    const a = scene.corner[3 * t];
    const b = scene.corner[3 * t + 1];
    const c = scene.corner[3 * t + 2];
    const o = 3 * p;
    if (material.surface === "glass") {
      const spot = this.#locate(material, a, b, c, wa, wb, wc, qx, qy, near);
      const facing = Math.abs(spot.nx * spot.vx + spot.ny * spot.vy + spot.nz * spot.vz);
      const mirror = 0.03 + 0.4 * (1 - facing) ** 5;
      for (let k = 0; k < 3; k++) colour[o + k] = colour[o + k] * 0.95 + spot.ambient[k] * mirror;
      return;
    }
    const u = wa * scene.uv[2 * a] + wb * scene.uv[2 * b] + wc * scene.uv[2 * c];
    const v = wa * scene.uv[2 * a + 1] + wb * scene.uv[2 * b + 1] + wc * scene.uv[2 * c + 1];
    const sample = this.#sample;
    if (material.texture) sampleTexture(material.texture, u, v, sample);
    const alpha = Math.min(1, sample[3] * material.gain);
    if (alpha < 0.02) return;
    if (material.surface === "hair") this.#hair(material, a, b, c, wa, wb, wc);
    else this.#flat(this.#locate(material, a, b, c, wa, wb, wc, qx, qy, near));
    for (let k = 0; k < 3; k++) colour[o + k] += (sample[k] - colour[o + k]) * alpha;
    // Hair over the forehead is not the face; a beard is.
    if (!material.face && alpha > 0.5) face[p] = 0;
  }

  /** Strands: the texture gives light and dark, the person the colour. Replaces the sample's colour. */
  #hair(material: Material, a: number, b: number, c: number, wa: number, wb: number, wc: number): void {
    const sample = this.#sample;
    const light = this.hairLight;
    const relative = luminance(sample[0], sample[1], sample[2]) / material.mean;
    const strand = Math.max(0.35, Math.min(2, relative ** 0.55));
    for (let k = 0; k < 3; k++) {
      const diffuse = light[HAIR * a + k] * wa + light[HAIR * b + k] * wb + light[HAIR * c + k] * wc;
      const gleam = light[HAIR * a + 3 + k] * wa + light[HAIR * b + 3 + k] * wb + light[HAIR * c + 3 + k] * wc;
      sample[k] = strand * (material.tint[k] * diffuse + gleam);
    }
  }

  /** Brows and lashes are too thin for shading of their own. */
  #flat(spot: Spot): void {
    const { tint } = spot.material;
    for (let k = 0; k < 3; k++) {
      let light = spot.ambient[k];
      for (const { direction: d, colour } of this.lamps) {
        light += Math.max(0, (spot.nx * d[0] + spot.ny * d[1] + spot.nz * d[2]) * 0.7 + 0.1) * colour[k];
      }
      this.#sample[k] = tint[k] * light;
    }
  }
}
