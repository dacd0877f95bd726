import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type BodyModel, HEAD_WINDOW } from "./body-model.ts";
import { outline, polygonDistance } from "./landmarks.ts";
import { loadTexture, sampleTexture, type Texture } from "./texture.ts";
import { gauss, smoothstep } from "./vector.ts";

/** Where a part of the head's texture lies on the base face, and what is known there. Rows from the top. */
export interface SkinMap {
  width: number;
  height: number;
  /** Place on the base mesh, `[height × width × 3]`, decimetres. */
  place: Float32Array;
  /** 1 where the texture is used. */
  used: Uint8Array;
  /** Height above the hairline; below 0 no hair grows. */
  scalp: Float32Array;
  /** 0…1 */
  lips: Float32Array;
  /** Distance to the eyes' opening. */
  eye: Float32Array;
  /** Where the front of the head, cheeks, tip of the nose, chin and the middle of the forehead are, 0…1. */
  front: Float64Array;
  cheek: Float64Array;
  nose: Float64Array;
  chin: Float64Array;
  forehead: Float64Array;
  /** Rings under the eyes: their place across the face, and along it. */
  ringX: Float64Array;
  ringY: Float64Array;
  /** The package's skins on this map, linear RGB, with their colour cast held back. */
  skins: ReadonlyMap<string, Float32Array>;
  /** The same for the rest of the body. */
  bodies: ReadonlyMap<string, Texture>;
}

/** The hairline: height (y) over depth (z), from the forehead round to the neck. */
const HAIRLINE: readonly (readonly [z: number, y: number])[] = [
  [1.6, 8],
  [1.42, 7.98],
  [1.3, 7.9],
  [1.15, 7.86],
  [1.03, 7.72],
  [0.93, 7.45],
  [0.85, 7.18],
  [0.76, 7],
  [0.66, 7.02],
  [0.5, 7.1],
  [0.34, 6.85],
  [0, 6.58],
  [-0.4, 6.45],
];

/** Height above the hairline of a place on the base head. */
export function aboveHairline(x: number, y: number, z: number): number {
  if (Math.abs(x) > 0.765 && z > 0.3 && z < 0.85 && y < 7.5) return -1; // ears
  let k = 1;
  while (k < HAIRLINE.length - 1 && z < HAIRLINE[k][0]) k++;
  const [[z0, y0], [z1, y1]] = [HAIRLINE[k - 1], HAIRLINE[k]];
  return y - (y1 + (y0 - y1) * Math.max(0, Math.min(1, (z - z1) / (z0 - z1))));
}

/** The package's usable skins: its two young caucasian ones are painted suits. */
const SKINS = ["african", "asian", "caucasian"].flatMap((origin) =>
  ["young", "middleage", "old"].flatMap((age) =>
    origin === "caucasian" && age === "young" ? [] : ["female", "male"].map((sex) => `${age}_${origin}_${sex}`),
  ),
);
const BODY_SIDE = 128;

const maps = new Map<string, Promise<SkinMap>>();

/** The map at a resolution, made once a process. */
export function loadSkinMap(model: BodyModel, height: number): Promise<SkinMap> {
  const key = `${model.folder}@${height}`;
  const known = maps.get(key) ?? makeSkinMap(model, height);
  maps.set(key, known);
  return known;
}

async function makeSkinMap(model: BodyModel, height: number): Promise<SkinMap> {
  const { u0, u1, v0, v1 } = HEAD_WINDOW;
  const width = Math.round((height * (u1 - u0)) / (v1 - v0));
  const { place, used } = rasterisePlaces(model, width, height);
  const size = width * height;
  const scalp = new Float32Array(size);
  const lips = new Float32Array(size);
  const eye = new Float32Array(size).fill(9);
  const [front, cheek, nose, chin, forehead, ringX, ringY] = Array.from({ length: 7 }, () => new Float64Array(size));
  const lipLine = outline(model, [48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59]);
  const eyeLine = outline(model, [36, 37, 38, 39, 40, 41]);
  for (let p = 0; p < size; p++) {
    if (!used[p]) continue;
    const [x, y, z] = place.subarray(3 * p, 3 * p + 3);
    scalp[p] = aboveHairline(x, y, z);
    if (z > 1.2 && y > 6.3 && y < 6.85 && Math.abs(x) < 0.4)
      lips[p] = smoothstep(0.022, -0.022, polygonDistance(x, y, lipLine));
    const side = Math.abs(x);
    front[p] = smoothstep(0.5, 0.95, z);
    cheek[p] = gauss(side - 0.42, 0.27) * gauss(y - 6.98, 0.25) * front[p];
    nose[p] = z > 1.45 ? gauss(x, 0.13) * gauss(y - 6.95, 0.16) : 0;
    chin[p] = gauss(x, 0.27) * gauss(y - 6.33, 0.18) * front[p];
    forehead[p] = gauss(x, 0.3) * smoothstep(7.1, 7.5, y);
    ringX[p] = gauss(side - 0.27, 0.15);
    ringY[p] = gauss(y - 7.185, 0.055);
    if (z > 1 && y > 6.9 && y < 7.7 && side < 0.75) eye[p] = polygonDistance(-side, y, eyeLine);
  }
  const skins = new Map<string, Float32Array>();
  const bodies = new Map<string, Texture>();
  for (const name of SKINS) {
    const folder = join(model.folder, "public/data/skins", name, "textures");
    const texture = await loadTexture(join(folder, readdirSync(folder)[0]));
    const cast = colourCast(name, texture);
    skins.set(name, resample(texture, width, height, cast));
    const body = await loadTexture(join(folder, readdirSync(folder)[0]), BODY_SIDE);
    bodies.set(name, { ...body, data: body.data.map((value, i) => value * (cast[i % 4] ?? 1)) });
  }
  const places = { front, cheek, nose, chin, forehead, ringX, ringY };
  return { width, height, place, used, scalp, lips, eye, ...places, skins, bodies };
}

/** The base mesh's place of every texel; texels just outside an edge take the edge's, so that seams do not show. */
function rasterisePlaces({ head, positions }: BodyModel, width: number, height: number) {
  const { u0, u1, v0, v1 } = HEAD_WINDOW;
  const place = new Float32Array(width * height * 3);
  const used = new Uint8Array(width * height);
  const exact = new Uint8Array(width * height);
  for (let t = 0; t < head.triangles.length; t += 3) {
    const corners = [0, 1, 2].map((k) => {
      const vertex = head.triangles[t + k];
      return {
        x: ((head.uv[2 * vertex] - u0) / (u1 - u0)) * width,
        y: (1 - (head.uv[2 * vertex + 1] - v0) / (v1 - v0)) * height,
        at: 3 * head.source[vertex],
      };
    });
    const [a, b, c] = corners;
    const area = (b.x - a.x) * (c.y - a.y) - (c.x - a.x) * (b.y - a.y);
    if (Math.abs(area) < 1e-9) continue;
    const margin = 0.02 + 1.5 / Math.sqrt(Math.abs(area));
    const [left, right] = [Math.min(a.x, b.x, c.x) - 1, Math.max(a.x, b.x, c.x) + 1];
    const [top, bottom] = [Math.min(a.y, b.y, c.y) - 1, Math.max(a.y, b.y, c.y) + 1];
    for (let y = Math.max(0, Math.floor(top)); y <= Math.min(height - 1, bottom); y++) {
      for (let x = Math.max(0, Math.floor(left)); x <= Math.min(width - 1, right); x++) {
        const [px, py] = [x + 0.5, y + 0.5];
        const wa = ((b.x - px) * (c.y - py) - (c.x - px) * (b.y - py)) / area;
        const wb = ((c.x - px) * (a.y - py) - (a.x - px) * (c.y - py)) / area;
        const wc = 1 - wa - wb;
        const least = Math.min(wa, wb, wc);
        const p = y * width + x;
        if (least < 0 && (used[p] || least < -margin)) continue;
        if (exact[p]) continue;
        for (let k = 0; k < 3; k++) {
          place[3 * p + k] = wa * positions[a.at + k] + wb * positions[b.at + k] + wc * positions[c.at + k];
        }
        used[p] = 1;
        exact[p] = Number(least >= 0);
      }
    }
  }
  return { place, used };
}

/** Factors that bring a skin's mean colour back: dark and old skins of the package are far too saturated. */
function colourCast(name: string, { width, height, data }: Texture): [number, number, number] {
  const sum = [0, 0, 0];
  const { u0, u1, v0, v1 } = HEAD_WINDOW;
  // The middle of the head's window is cheeks and forehead.
  for (let y = Math.floor((1 - v0 - (v1 - v0) * 0.6) * height); y < (1 - v0 - (v1 - v0) * 0.4) * height; y++) {
    for (let x = Math.floor((u0 + (u1 - u0) * 0.35) * width); x < (u0 + (u1 - u0) * 0.65) * width; x++) {
      for (let k = 0; k < 3; k++) sum[k] += data[(y * width + x) * 4 + k];
    }
  }
  const redMost = name.includes("african") ? 2.15 : 1.82;
  const red = Math.min(redMost, sum[0] / sum[1]);
  const blue = Math.max(0.58, sum[2] / sum[1]);
  return [1, sum[0] / red / sum[1], ((sum[0] / red) * blue) / sum[2]];
}

function resample(texture: Texture, width: number, height: number, cast: readonly number[]): Float32Array {
  const { u0, u1, v0, v1 } = HEAD_WINDOW;
  const out = new Float32Array(width * height * 3);
  const sample = new Float32Array(4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const u = u0 + ((x + 0.5) / width) * (u1 - u0);
      const v = v0 + (1 - (y + 0.5) / height) * (v1 - v0);
      sampleTexture(texture, u, v, sample);
      for (let k = 0; k < 3; k++) out[(y * width + x) * 3 + k] = sample[k] * cast[k];
    }
  }
  return out;
}
