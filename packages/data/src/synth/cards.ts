import { type Camera, CENTRE, type Frame, PLACE_X, PLACE_Y, SAMPLES } from "./frame.ts";
import { HAIR, lightHair } from "./hair-light.ts";
import { ScreenTriangle } from "./raster.ts";
import type { Scene } from "./scene.ts";
import { fifthPower, type LitLamp, place, Spot } from "./shade.ts";
import { halfTexture, luminance, sampleTexture, type Texture } from "./texture.ts";

/** Cards that lie on the skin are lifted by this share of the depth, or they would sink into it. */
const LIFT = { hair: 0.0002, brow: 0.0012, lash: 0.0012, glass: 0 } as const;
type Card = keyof typeof LIFT;
/** All samples of a pixel, a bit each. */
const ALL = 0b1111;
/** A card's texture may have this many texels in a pixel; with more, thin hairs would flicker from pixel to pixel. */
const COARSE = 4;
/** How light a strand is, by its texture's luminance relative to the mean, in steps of 1 / 256. */
const STRAND = Float32Array.from({ length: 1024 }, (_, i) => Math.max(0.35, Math.min(2, ((i + 0.5) / 256) ** 0.55)));
/** More than a scene's triangles. */
const NUMBERS = 2 ** 20;

/**
 * Draws hair, brows, lashes and glass over the opaque surfaces, from far to near.
 * @param everySample whether a card is shaded at each sample; else once a pixel, with its texture as coarse as pixels are
 */
export function drawCards(
  frame: Frame,
  scene: Scene,
  camera: Camera,
  ambient: Float32Array,
  lamps: readonly LitLamp[],
  everySample: boolean,
): void {
  const surfaces = scene.parts.map(({ material }) => material.surface);
  const hairLight = lightHair(scene, ambient, lamps);
  const painter = new CardPainter(frame, scene, camera, ambient, lamps, hairLight, everySample);
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

class CardPainter {
  /** Colour of the spot, and how much of it shows. */
  readonly #sample = new Float32Array(4);
  #alpha = 0.5;
  /** For glass: how much of the surroundings it mirrors. */
  #mirror = 0.5;
  readonly #spot: Spot;
  readonly #card = new ScreenTriangle();
  #texture: Texture | undefined;

  constructor(
    readonly frame: Frame,
    readonly scene: Scene,
    readonly camera: Camera,
    readonly ambient: Float32Array,
    readonly lamps: readonly LitLamp[],
    readonly hairLight: Float32Array,
    readonly everySample: boolean,
  ) {
    this.#spot = new Spot(everySample);
  }

  triangle(t: number): void {
    const { frame, scene } = this;
    const { screen: s, side } = frame;
    const spot = this.#spot;
    const card = this.#card;
    const { material } = scene.parts[scene.partOfTriangle[t]];
    card.lift = 1 + LIFT[material.surface as Card];
    spot.material = material;
    spot.a = scene.corner[3 * t];
    spot.b = scene.corner[3 * t + 1];
    spot.c = scene.corner[3 * t + 2];
    if (!card.set(s, 3 * spot.a, 3 * spot.b, 3 * spot.c)) return;
    const { ax, ay, az, bx, by, bz, cx, cy, cz } = card;
    const x0 = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5));
    const x1 = Math.min(side - 1, Math.floor(Math.max(ax, bx, cx) - 0.5));
    const y0 = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5));
    const y1 = Math.min(side - 1, Math.floor(Math.max(ay, by, cy) - 0.5));
    if (frame.hides(Math.max(az, bz, cz) * card.lift * (1 + 1e-9), x0, y0, x1, y1)) return;
    this.#texture = this.everySample ? material.texture : this.#coarse();
    for (let y = y0 >> 1; y <= y1 >> 1; y++) {
      for (let x = x0 >> 1; x <= x1 >> 1; x++) this.#pixel(x, y);
    }
  }

  #pixel(x: number, y: number): void {
    const card = this.#card;
    const { ax, ay, bx, by, cx, cy, inverse } = card;
    const qx = x * SAMPLES + 1;
    const qy = y * SAMPLES + 1;
    const wa = ((bx - qx) * (cy - qy) - (cx - qx) * (by - qy)) * inverse;
    const wb = ((cx - qx) * (ay - qy) - (ax - qx) * (cy - qy)) * inverse;
    const wc = 1 - wa - wb;
    if (wa < -card.reachA || wb < -card.reachB || wc < -card.reachC) return;
    const covered = this.#cover(x, y);
    if (this.everySample || covered === 0) return;
    const spot = this.#spot;
    spot.wa = wa;
    spot.wb = wb;
    spot.wc = wc;
    spot.holdInside();
    if (!this.#shade(qx, qy)) return;
    const { frame } = this;
    const { size, side, whole, step } = frame;
    const pixel = y * size + x;
    const first = (y * side + x) * SAMPLES;
    if (covered !== ALL && whole[pixel]) frame.split(pixel);
    if (whole[pixel]) this.#blend(first);
    else for (let k = 0; k < CENTRE; k++) if (covered & (1 << k)) this.#blend(first + step[k]);
  }

  /** @returns which samples of a pixel show the card, a bit each; if every sample is shaded, they have been */
  #cover(x: number, y: number): number {
    const { everySample } = this;
    const { side, depth, step } = this.frame;
    const { ax, ay, az, bx, by, bz, cx, cy, cz, inverse, lift } = this.#card;
    const spot = this.#spot;
    let covered = 0;
    for (let k = 0; k < CENTRE; k++) {
      const qx = x * SAMPLES + PLACE_X[k];
      const qy = y * SAMPLES + PLACE_Y[k];
      const wa = ((bx - qx) * (cy - qy) - (cx - qx) * (by - qy)) * inverse;
      const wb = ((cx - qx) * (ay - qy) - (ax - qx) * (cy - qy)) * inverse;
      const wc = 1 - wa - wb;
      if (wa < 0 || wb < 0 || wc < 0) continue;
      const p = (y * side + x) * SAMPLES + step[k];
      if ((wa * az + wb * bz + wc * cz) * lift < depth[p]) continue;
      covered |= 1 << k;
      if (!everySample) continue;
      spot.wa = wa;
      spot.wb = wb;
      spot.wc = wc;
      if (this.#shade(qx, qy)) this.#blend(p);
    }
    return covered;
  }

  /** The current triangle's texture, with texels about as large as pixels. */
  #coarse(): Texture | undefined {
    const { uv } = this.scene;
    const { a, b, c } = this.#spot;
    let { texture } = this.#spot.material;
    if (!texture) return undefined;
    const ux = uv[2 * b] - uv[2 * a];
    const uy = uv[2 * b + 1] - uv[2 * a + 1];
    const vx = uv[2 * c] - uv[2 * a];
    const vy = uv[2 * c + 1] - uv[2 * a + 1];
    const share = Math.abs(ux * vy - uy * vx);
    const pixels = 1 / Math.abs(this.#card.inverse) / SAMPLES ** 2;
    while (texture.width > 16 && share * texture.width * texture.height > COARSE * pixels)
      texture = halfTexture(texture);
    return texture;
  }

  /** Finds colour and opacity of the spot, from its weights on the screen. @returns whether there is anything to see */
  #shade(qx: number, qy: number): boolean {
    const { scene, camera, ambient } = this;
    const { screen } = this.frame;
    const { uv } = scene;
    const spot = this.#spot;
    const sample = this.#sample;
    const { a, b, c, material } = spot;
    const na = spot.wa * screen[3 * a + 2];
    const nb = spot.wb * screen[3 * b + 2];
    const nc = spot.wc * screen[3 * c + 2];
    const near = na + nb + nc;
    const far = 1 / near;
    const wa = na * far;
    const wb = nb * far;
    const wc = nc * far;
    spot.wa = wa;
    spot.wb = wb;
    spot.wc = wc;
    if (material.surface !== "glass") {
      const u = wa * uv[2 * a] + wb * uv[2 * b] + wc * uv[2 * c];
      const v = wa * uv[2 * a + 1] + wb * uv[2 * b + 1] + wc * uv[2 * c + 1];
      if (this.#texture) sampleTexture(this.#texture, u, v, sample);
      this.#alpha = Math.min(1, sample[3] * material.gain);
      if (this.#alpha < 0.02) return false;
    }
    if (material.surface === "hair") {
      this.#hair();
      return true;
    }
    const z = -1 / near;
    spot.z = z;
    spot.x = (-(qx - camera.width / 2) * z) / camera.focal;
    spot.y = ((qy - camera.height / 2) * z) / camera.focal;
    place(spot, scene, ambient);
    const facing = Math.abs(spot.nx * spot.vx + spot.ny * spot.vy + spot.nz * spot.vz);
    if (material.surface === "glass") this.#mirror = 0.03 + 0.4 * fifthPower(1 - facing, spot);
    else this.#flat();
    return true;
  }

  /** Blends the spot's colour over the sample `p`. */
  #blend(p: number): void {
    const { colour, face } = this.frame;
    const { material, ambient } = this.#spot;
    const sample = this.#sample;
    const alpha = this.#alpha;
    const o = 3 * p;
    if (material.surface === "glass") {
      for (let k = 0; k < 3; k++) colour[o + k] = colour[o + k] * 0.95 + ambient[k] * this.#mirror;
      return;
    }
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
    const strand = this.everySample
      ? Math.max(0.35, Math.min(2, relative ** 0.55))
      : STRAND[Math.min(STRAND.length - 1, (relative * 256) | 0)];
    for (let k = 0; k < 3; k++) {
      const diffuse = light[a + k] * wa + light[b + k] * wb + light[c + k] * wc;
      const gleam = light[a + 3 + k] * wa + light[b + 3 + k] * wb + light[c + 3 + k] * wc;
      sample[k] = strand * (material.tint[k] * diffuse + gleam);
    }
  }

  /** Brows and lashes are too thin for shading of their own. */
  #flat(): void {
    const spot = this.#spot;
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
