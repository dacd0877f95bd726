import sharp from "sharp";

/** A picture in linear light, four floats a pixel. */
export interface Texture {
  width: number;
  height: number;
  data: Float32Array;
}

const LINEAR = Float32Array.from({ length: 256 }, (_, i) => {
  const c = i / 255;
  return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
});

const cache = new Map<string, Promise<Texture>>();

/** Reads a texture once; `side` scales it to a square of that size. */
export function loadTexture(file: string, side?: number): Promise<Texture> {
  const key = `${file}@${side ?? 0}`;
  const known = cache.get(key) ?? readTexture(file, side);
  cache.set(key, known);
  return known;
}

async function readTexture(file: string, side?: number): Promise<Texture> {
  const picture = side ? sharp(file).resize(side, side, { fit: "fill" }) : sharp(file);
  const { data, info } = await picture.ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  const out = new Float32Array(data.length);
  for (let i = 0; i < data.length; i += 4) {
    out[i] = LINEAR[data[i]];
    out[i + 1] = LINEAR[data[i + 1]];
    out[i + 2] = LINEAR[data[i + 2]];
    out[i + 3] = data[i + 3] / 255;
  }
  return { width: info.width, height: info.height, data: out };
}

/** Bilinear sample at texture coordinates (v up, repeating) into `out` (four numbers). */
export function sampleTexture({ width, height, data }: Texture, u: number, v: number, out: Float32Array): void {
  const x = (u - Math.floor(u)) * width - 0.5;
  const y = (1 - v - Math.floor(1 - v)) * height - 0.5;
  const xf = Math.floor(x);
  const yf = Math.floor(y);
  const fx = x - xf;
  const fy = y - yf;
  const x0 = xf < 0 ? width - 1 : xf;
  const y0 = yf < 0 ? height - 1 : yf;
  const x1 = xf + 1 >= width ? 0 : xf + 1;
  const y1 = yf + 1 >= height ? 0 : yf + 1;
  const a = (y0 * width + x0) * 4;
  const b = (y0 * width + x1) * 4;
  const c = (y1 * width + x0) * 4;
  const d = (y1 * width + x1) * 4;
  for (let k = 0; k < 4; k++) {
    const top = data[a + k] + (data[b + k] - data[a + k]) * fx;
    const bottom = data[c + k] + (data[d + k] - data[c + k]) * fx;
    out[k] = top + (bottom - top) * fy;
  }
}

const halves = new WeakMap<Texture, Texture>();

/** The texture at half its width and height; transparent texels do not lend their colour. */
export function halfTexture(texture: Texture): Texture {
  const known = halves.get(texture);
  if (known) return known;
  const { data, width: from } = texture;
  const width = texture.width >> 1;
  const height = texture.height >> 1;
  const out = new Float32Array(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 4;
      const first = (2 * y * from + 2 * x) * 4;
      let sum = 1e-6;
      for (const texel of [first, first + 4, first + 4 * from, first + 4 * from + 4]) {
        const alpha = data[texel + 3];
        for (let k = 0; k < 3; k++) out[at + k] += data[texel + k] * (alpha + 2.5e-7);
        sum += alpha;
      }
      for (let k = 0; k < 3; k++) out[at + k] /= sum;
      out[at + 3] = sum / 4;
    }
  }
  const half = { width, height, data: out };
  halves.set(texture, half);
  return half;
}

export const luminance = (r: number, g: number, b: number) => 0.3 * r + 0.55 * g + 0.15 * b;

const meanCache = new WeakMap<Texture, number>();

/** Mean luminance of what is not transparent: hair textures are painted in any brightness. */
export function meanLuminance(texture: Texture): number {
  const known = meanCache.get(texture);
  if (known !== undefined) return known;
  let [sum, count] = [0, 0];
  const { data } = texture;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] < 0.6) continue;
    sum += luminance(data[i], data[i + 1], data[i + 2]);
    count++;
  }
  const mean = count > 0 ? sum / count : 0.1;
  meanCache.set(texture, mean);
  return mean;
}
