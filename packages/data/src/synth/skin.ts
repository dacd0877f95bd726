import { valueNoise } from "./noise.ts";
import type { Person } from "./person.ts";
import type { SkinMap } from "./skin-map.ts";
import type { Texture } from "./texture.ts";
import { gauss, smoothstep } from "./vector.ts";

export interface PaintedSkin {
  /** The head's own texture; alpha holds how glossy a place is. */
  head: Texture;
  body: Texture;
}

/** Which skins of the package a person's is mixed from, by origin and age. */
function skinShares({ macro: { origin }, sex, years }: Person): [string, number][] {
  const old = Math.max(0, Math.min(1, (years - 50) / 20));
  const young = Math.max(0, Math.min(1, (50 - years) / 20));
  const ages: [string, number][] = [
    ["young", young],
    ["middleage", 1 - young - old],
    ["old", old],
  ];
  const shares = new Map<string, number>();
  const add = (name: string, share: number) => share > 0.02 && shares.set(name, (shares.get(name) ?? 0) + share);
  for (const [i, name] of ["african", "asian", "caucasian"].entries()) {
    for (const [age, share] of ages) {
      if (name === "caucasian" && age === "young") {
        // There is no usable one: between a middle-aged and a young asian skin.
        add(`middleage_caucasian_${sex}`, origin[i] * share * 0.65);
        add(`young_asian_${sex}`, origin[i] * share * 0.35);
      } else add(`${age}_${name}_${sex}`, origin[i] * share);
    }
  }
  const total = [...shares.values()].reduce((sum, share) => sum + share, 0);
  return [...shares].map(([name, share]) => [name, share / total]);
}

/** Paints a person's skin: the mixed base, then blood, freckles, moles, lips, beard and scalp by their place. */
export function paintSkin(map: SkinMap, person: Person): PaintedSkin {
  const { width, height, used } = map;
  const { tone } = person.skin;
  const shares = skinShares(person);
  const bases = shares.map(([name, share]) => ({ base: map.skins.get(name) as Float32Array, share }));
  const data = new Float32Array(width * height * 4);
  const rgb = new Float64Array(3);
  for (let p = 0; p < width * height; p++) {
    if (!used[p]) continue;
    rgb.fill(0);
    for (const { base, share } of bases) {
      for (let k = 0; k < 3; k++) rgb[k] += base[3 * p + k] * share * tone[k];
    }
    data[4 * p + 3] = paintPlace(rgb, person, map, p);
    for (let k = 0; k < 3; k++) data[4 * p + k] = rgb[k];
  }
  return { head: { width, height, data }, body: mixBody(map, shares, tone) };
}

/** Changes the colour of the place of texel `p`; returns its gloss. */
function paintPlace(rgb: Float64Array, { skin }: Person, map: SkinMap, p: number): number {
  const x = map.place[3 * p];
  const y = map.place[3 * p + 1];
  const z = map.place[3 * p + 2];
  const cheek = map.cheek[p];
  const nose = map.nose[p];
  const lips = map.lips[p];
  const side = Math.abs(x);
  const [ox, oy, oz] = skin.noise;
  const coarse = valueNoise(x * 6 + ox, y * 6 + oy, z * 6 + oz);
  const fine = valueNoise(x * 26 + oz, y * 26 + ox, z * 26 + oy);
  const scale = (r: number, g: number, b: number) => {
    rgb[0] *= r;
    rgb[1] *= g;
    rgb[2] *= b;
  };
  const towards = (colour: readonly number[], share: number) => {
    for (let k = 0; k < 3; k++) rgb[k] += (colour[k] - rgb[k]) * share;
  };

  const ear = side > 0.72 ? 0.35 : 0;
  const blood = skin.redness * (0.55 * cheek + 0.6 * nose + 0.25 * map.chin[p] + 0.18 * coarse * skin.mottle + ear);
  scale(1 + blood * 0.12, 1 - blood * 0.24, 1 - blood * 0.22);
  const mottle = 1 + skin.mottle * (0.05 * coarse + 0.045 * fine);
  scale(mottle, mottle, mottle);
  const blush = skin.blush * cheek;
  scale(1 - blush * 0.05, 1 - blush * 0.35, 1 - blush * 0.28);
  const circles = skin.darkCircles * map.ringX[p] * map.ringY[p] * map.front[p];
  scale(1 - 0.3 * circles, 1 - 0.36 * circles, 1 - 0.26 * circles);

  if (skin.freckles > 0 && z > 0.7 && lips < 0.3) {
    const region = 0.25 + 0.9 * Math.exp(-((side / 0.55) ** 4) - ((y - 7.03) / 0.33) ** 4);
    const spots = smoothstep(0.35, 0.7, valueNoise(x * 26 + oy, y * 26 + oz, z * 26 + ox));
    const f = spots * skin.freckles * region;
    scale(1 - 0.33 * f, 1 - 0.5 * f, 1 - 0.58 * f);
  }
  for (const [mx, my, radius] of skin.moles) {
    if (z < 0.9) break;
    const m = smoothstep(1.3, 0.6, Math.hypot(x - mx, y - my) / radius);
    scale(1 - 0.66 * m, 1 - 0.76 * m, 1 - 0.78 * m);
  }

  let gloss = 0.55 + 0.4 * skin.oily * (map.forehead[p] + nose + 0.5 * cheek);
  if (lips > 0) {
    const natural = lips * (1 - skin.lipstick);
    towards(skin.lipColour, lips * skin.lipstick * 0.8);
    scale(1 - 0.12 * natural, 1 - 0.3 * natural, 1 - 0.24 * natural);
    gloss += lips * 0.4;
  }
  const rim = smoothstep(0.03, 0, Math.abs(map.eye[p]));
  scale(1 - 0.2 * rim, 1 - 0.24 * rim, 1 - 0.24 * rim);

  if (skin.beard > 0) {
    const line = 6.62 + Math.max(0, side - 0.25) * 0.75;
    const jaw = smoothstep(line + 0.12, line - 0.02, y) * smoothstep(5.8, 6.15, y) * smoothstep(0.5, 0.7, z);
    const lip = z > 1.3 ? gauss(y - 6.735, 0.05) * smoothstep(0.3, 0.22, side) : 0;
    const where = Math.max(jaw, lip) * (1 - lips) * (0.85 + 0.15 * coarse);
    const hairs = 0.6 + 0.4 * smoothstep(-0.3, 0.5, valueNoise(x * 60, y * 45, z * 60));
    towards(skin.beardColour, Math.min(0.92, where * skin.beard * hairs));
  }
  const grown = smoothstep(-0.07, 0.07, map.scalp[p] - (z > 0.7 ? skin.hairline : 0) + 0.035 * coarse);
  if (grown > 0) {
    const pale = Math.min(1, (skin.beardColour[0] + skin.beardColour[1] + skin.beardColour[2]) / 0.6);
    towards(skin.beardColour, Math.min(0.97, grown * skin.scalp * (1 - 0.4 * pale)));
    gloss *= 1 - 0.5 * grown * skin.scalp;
  }
  return gloss;
}

function mixBody({ bodies }: SkinMap, shares: readonly [string, number][], tone: readonly number[]): Texture {
  const [first] = bodies.values();
  const data = new Float32Array(first.data.length);
  for (const [name, share] of shares) {
    const body = bodies.get(name) as Texture;
    for (let i = 0; i < data.length; i++) data[i] += body.data[i] * share * (tone[i % 4] ?? 1);
  }
  for (let i = 3; i < data.length; i += 4) data[i] = 0.5;
  return { ...first, data };
}
