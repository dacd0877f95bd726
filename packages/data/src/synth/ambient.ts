import { CHAIN_LINKS } from "./body-model.ts";
import { DepthMap } from "./depth-map.ts";
import type { Figure } from "./figure.ts";
import { type Light, radiance, sphere } from "./light.ts";
import type { Part } from "./part.ts";
import { Scene } from "./scene.ts";
import { apply, IDENTITY, type Mat3, type Vec3 } from "./vector.ts";

const DIRECTIONS = sphere(24);
const MAP_SIZE = 96;
/** Vertices of clothes and glasses, which change from picture to picture, see this much of each direction. */
const UNKNOWN = 210;

/** What each render vertex of a figure's lasting parts sees of the surroundings, a byte a direction. */
export type Openness = ReadonlyMap<Part, Uint8Array>;

/** Looks from 24 directions at the figure at rest: under the chin and beside the nose it is darker. */
export function measureOpenness(figure: Figure): Openness {
  const { parts, anchor } = figure;
  figure.pose({}, [0, 0], parts);
  const still = Array.from({ length: CHAIN_LINKS }, () => ({ rotation: IDENTITY, shift: [0, 0, 0] as Vec3 }));
  const scene = new Scene();
  scene.fill(parts, still);
  const seen = new Uint8Array(scene.vertices * DIRECTIONS.length);
  const map = new DepthMap(MAP_SIZE);
  const hair = new Uint8Array(scene.vertices);
  for (const [i, { material, mesh }] of parts.entries()) {
    if (material.surface === "hair") hair.fill(1, scene.offsets[i], scene.offsets[i] + mesh.source.length);
  }
  const { position: p, normal: n } = scene;
  for (const [k, d] of DIRECTIONS.entries()) {
    map.draw(scene, d, [0, anchor[1] - 0.1, anchor[2] - 0.35], 2.3);
    for (let i = 0, at = 0; i < scene.vertices; i++, at += 3) {
      const facing = n[at] * d[0] + n[at + 1] * d[1] + n[at + 2] * d[2];
      if (facing < -0.05 && !hair[i]) continue;
      const off = hair[i] ? 0.09 : 0.025;
      const lit = map.lit(p[at] + n[at] * off, p[at + 1] + n[at + 1] * off, p[at + 2] + n[at + 2] * off, 0.03);
      seen[i * DIRECTIONS.length + k] = Math.round(255 * lit);
    }
  }
  const slice = (part: Part, i: number) =>
    seen.slice(scene.offsets[i] * DIRECTIONS.length, (scene.offsets[i] + part.mesh.source.length) * DIRECTIONS.length);
  return new Map(parts.map((part, i) => [part, slice(part, i)]));
}

/** What a part was cut from: its vertices see the same. */
const lasting = (part: Part) => part.whole ?? part;

/** Light from the surroundings on every wanted vertex of a scene, `[vertices × 3]`, lamps apart. */
export function ambientLight(
  scene: Scene,
  openness: Openness,
  light: Light,
  body: Mat3,
  head: Mat3,
  wanted: Uint8Array,
): Float32Array {
  const out = new Float32Array(scene.vertices * 3);
  const frames = [body, head].map((rotation) => {
    const directions = new Float32Array(DIRECTIONS.length * 3);
    const colours = new Float32Array(DIRECTIONS.length * 3);
    const rgb = new Float64Array(3);
    for (const [k, d] of DIRECTIONS.entries()) {
      const turned = apply(rotation, d);
      directions.set(turned, 3 * k);
      radiance(light, turned, rgb);
      colours.set(rgb, 3 * k);
    }
    return { directions, colours };
  });
  const share = 4 / DIRECTIONS.length / 255;
  for (const [number, part] of scene.parts.entries()) {
    const seen = openness.get(lasting(part));
    const hair = part.material.surface === "hair";
    const start = scene.offsets[number];
    for (let i = 0; i < part.mesh.source.length; i++) {
      if (!wanted[start + i]) continue;
      const withHead = part.chain[part.mesh.source[i] * CHAIN_LINKS + CHAIN_LINKS - 1] > 0.5;
      const { directions, colours } = frames[Number(withHead)];
      const at = (start + i) * 3;
      const nx = scene.normal[at];
      const ny = scene.normal[at + 1];
      const nz = scene.normal[at + 2];
      let [r, g, b] = [0.02 / share, 0.017 / share, 0.016 / share];
      for (let k = 0, j = 0; k < DIRECTIONS.length; k++, j += 3) {
        const facing = nx * directions[j] + ny * directions[j + 1] + nz * directions[j + 2];
        // Hair lets light through and has no clear normal.
        const weight = hair ? 0.28 + 0.32 * Math.abs(facing) + 0.2 * facing : facing;
        if (weight <= 0) continue;
        const open = seen ? seen[i * DIRECTIONS.length + k] : UNKNOWN;
        const w = weight * (hair ? 76 + 0.7 * open : open);
        r += w * colours[j];
        g += w * colours[j + 1];
        b += w * colours[j + 2];
      }
      out[at] = r * share;
      out[at + 1] = g * share;
      out[at + 2] = b * share;
    }
  }
  return out;
}
