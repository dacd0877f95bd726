import { type Camera, CENTRE, type Frame, PLACE_X, PLACE_Y, SAMPLES } from "./frame.ts";
import type { Scene } from "./scene.ts";
import { type LitLamp, place, Spot } from "./shade.ts";
import { luminance, sampleTexture } from "./texture.ts";

/** Cards that lie on the skin are lifted by this share of the depth, or they would sink into it. */
const LIFT = { hair: 0.0002, brow: 0.0012, lash: 0.0012, glass: 0 } as const;
type Card = keyof typeof LIFT;
/** More than a scene's triangles. */
const NUMBERS = 2 ** 20;

/** Draws hair, brows, lashes and glass over the opaque surfaces, from far to near. */
export function drawCards(
  frame: Frame,
  scene: Scene,
  camera: Camera,
  ambient: Float32Array,
  lamps: readonly LitLamp[],
): void {
  const surfaces = scene.parts.map(({ material }) => material.surface);
  const painter = new CardPainter(frame, scene, camera, ambient, lamps, lightHair(scene, ambient, lamps));
  for (const t of fromFarToNear(frame, scene, (part) => surfaces[part] in LIFT)) painter.triangle(t);
}

/** Triangles of the chosen parts, by the sum of their corners' 1 / distance. */
function fromFarToNear({ screen: s }: Frame, scene: Scene, chosen: (part: number) => boolean): number[] {
  const { corner, partOfTriangle, triangles } = scene;
  const near = new Float32Array(1);
  const bits = new Uint32Array(near.buffer);
  // Bits of a positive float are ordered as it is. With the triangle's number below them they sort without a callback.
  const keys = new Float64Array(triangles);
  let count = 0;
  for (let t = 0; t < triangles; t++) {
    if (!chosen(partOfTriangle[t])) continue;
    near[0] = s[3 * corner[3 * t] + 2] + s[3 * corner[3 * t + 1] + 2] + s[3 * corner[3 * t + 2] + 2];
    keys[count++] = bits[0] * NUMBERS + t;
  }
  return Array.from(keys.subarray(0, count).sort(), (key) => key % NUMBERS);
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

class CardPainter {
  readonly #sample = new Float32Array(4);
  readonly #spot = new Spot();

  constructor(
    readonly frame: Frame,
    readonly scene: Scene,
    readonly camera: Camera,
    readonly ambient: Float32Array,
    readonly lamps: readonly LitLamp[],
    readonly hairLight: Float32Array,
  ) {}

  triangle(t: number): void {
    const { frame, scene, camera } = this;
    const { screen: s, size, side, whole, depth, step } = frame;
    const spot = this.#spot;
    const { material } = scene.parts[scene.partOfTriangle[t]];
    const lift = 1 + LIFT[material.surface as Card];
    const a = 3 * scene.corner[3 * t];
    const b = 3 * scene.corner[3 * t + 1];
    const c = 3 * scene.corner[3 * t + 2];
    const ax = s[a];
    const ay = s[a + 1];
    const az = s[a + 2];
    const bx = s[b];
    const by = s[b + 1];
    const bz = s[b + 2];
    const cx = s[c];
    const cy = s[c + 1];
    const cz = s[c + 2];
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    if (Math.abs(area) < 1e-9) return;
    spot.material = material;
    spot.a = a / 3;
    spot.b = b / 3;
    spot.c = c / 3;
    const x0 = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5)) >> 1;
    const x1 = Math.min(side - 1, Math.floor(Math.max(ax, bx, cx) - 0.5)) >> 1;
    const y0 = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5)) >> 1;
    const y1 = Math.min(side - 1, Math.floor(Math.max(ay, by, cy) - 0.5)) >> 1;
    const inverse = 1 / area;
    for (let y = y0; y <= y1; y++) {
      for (let x = x0; x <= x1; x++) {
        const one = whole[y * size + x];
        for (let k = one ? CENTRE : 0; k < (one ? CENTRE + 1 : CENTRE); k++) {
          const qx = x * SAMPLES + PLACE_X[k];
          const qy = y * SAMPLES + PLACE_Y[k];
          const la = ((bx - qx) * (cy - qy) - (cx - qx) * (by - qy)) * inverse;
          const lb = ((cx - qx) * (ay - qy) - (ax - qx) * (cy - qy)) * inverse;
          const lc = 1 - la - lb;
          if (la < 0 || lb < 0 || lc < 0) continue;
          const near = la * az + lb * bz + lc * cz;
          const p = (y * side + x) * SAMPLES + step[k];
          if (near * lift < depth[p]) continue;
          const far = 1 / near;
          spot.wa = la * az * far;
          spot.wb = lb * bz * far;
          spot.wc = lc * cz * far;
          const z = -1 / near;
          spot.z = z;
          spot.x = (-(qx - camera.width / 2) * z) / camera.focal;
          spot.y = ((qy - camera.height / 2) * z) / camera.focal;
          this.#paint(p);
        }
      }
    }
  }

  /** Blends the spot over the sample `p`. */
  #paint(p: number): void {
    const { scene, ambient } = this;
    const { uv } = scene;
    const { colour, face } = this.frame;
    const spot = this.#spot;
    const { a, b, c, wa, wb, wc, material } = spot;
    const o = 3 * p;
    if (material.surface === "glass") {
      place(spot, scene, ambient);
      const facing = Math.abs(spot.nx * spot.vx + spot.ny * spot.vy + spot.nz * spot.vz);
      const mirror = 0.03 + 0.4 * (1 - facing) ** 5;
      for (let k = 0; k < 3; k++) colour[o + k] = colour[o + k] * 0.95 + spot.ambient[k] * mirror;
      return;
    }
    const u = wa * uv[2 * a] + wb * uv[2 * b] + wc * uv[2 * c];
    const v = wa * uv[2 * a + 1] + wb * uv[2 * b + 1] + wc * uv[2 * c + 1];
    const sample = this.#sample;
    if (material.texture) sampleTexture(material.texture, u, v, sample);
    const alpha = Math.min(1, sample[3] * material.gain);
    if (alpha < 0.02) return;
    if (material.surface === "hair") this.#hair();
    else this.#flat();
    for (let k = 0; k < 3; k++) colour[o + k] += (sample[k] - colour[o + k]) * alpha;
    // Hair over the forehead is not the face; a beard is.
    if (!material.face && alpha > 0.5) face[p] = 0;
  }

  /** Strands: the texture gives light and dark, the person the colour. Replaces the sample's colour. */
  #hair(): void {
    const sample = this.#sample;
    const light = this.hairLight;
    const { wa, wb, wc, material } = this.#spot;
    const a = HAIR * this.#spot.a;
    const b = HAIR * this.#spot.b;
    const c = HAIR * this.#spot.c;
    const relative = luminance(sample[0], sample[1], sample[2]) / material.mean;
    const strand = Math.max(0.35, Math.min(2, relative ** 0.55));
    for (let k = 0; k < 3; k++) {
      const diffuse = light[a + k] * wa + light[b + k] * wb + light[c + k] * wc;
      const gleam = light[a + 3 + k] * wa + light[b + 3 + k] * wb + light[c + 3 + k] * wc;
      sample[k] = strand * (material.tint[k] * diffuse + gleam);
    }
  }

  /** Brows and lashes are too thin for shading of their own. */
  #flat(): void {
    const spot = this.#spot;
    place(spot, this.scene, this.ambient);
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
