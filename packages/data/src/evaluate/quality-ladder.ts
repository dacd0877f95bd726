import {
  cropBox,
  FaceAnalyser,
  RECORDING_SIDE,
  type RgbImage,
  recordingParts,
  recordingScore,
  toSharp,
} from "@omni-id/face";
import sharp from "sharp";
import { KeyedRandom } from "../random.ts";
import { drawPerson } from "../synth/person.ts";
import { Portrait } from "../synth/render.ts";
import { drawView } from "../synth/view.ts";

type Damage = (image: RgbImage, box: { x: number; y: number; width: number; height: number }) => Promise<RgbImage>;

const bytes = async ({ width, height }: RgbImage, buffer: Promise<Buffer>): Promise<RgbImage> => ({
  width,
  height,
  data: new Uint8Array(await buffer),
});

const blur =
  (sigma: number): Damage =>
  (image) =>
    bytes(image, toSharp(image).blur(sigma).raw().toBuffer());
const jpeg =
  (quality: number): Damage =>
  async (image) =>
    bytes(
      image,
      sharp(await toSharp(image).jpeg({ quality }).toBuffer())
        .raw()
        .toBuffer(),
    );
const noise =
  (deviation: number): Damage =>
  async ({ width, height, data }) => {
    const random = new KeyedRandom(width, deviation, 0x2015e);
    return {
      width,
      height,
      data: Uint8ClampedArray.from(data, (value) => value + deviation * random.normal()) as unknown as Uint8Array,
    };
  };
const motion =
  (length: number): Damage =>
  async ({ width, height, data }) => {
    const out = new Uint8Array(data.length);
    for (let y = 0; y < height; y++) {
      for (let i = 0; i < width * 3; i++) {
        let sum = 0;
        for (let k = 0; k < length; k++) {
          const x = Math.max(0, Math.min(width - 1, Math.floor(i / 3) + k - (length >> 1)));
          sum += data[y * width * 3 + x * 3 + (i % 3)];
        }
        out[y * width * 3 + i] = sum / length;
      }
    }
    return { width, height, data: out };
  };
/** A hand-coloured bar over the lower part of the face. */
const occlusion =
  (share: number): Damage =>
  async ({ width, height, data }, box) => {
    const out = data.slice();
    const from = Math.max(0, Math.round(box.y + (1 - share) * box.height));
    for (let y = from; y < Math.min(height, box.y + box.height); y++) {
      for (let x = Math.max(0, Math.round(box.x)); x < Math.min(width, box.x + box.width); x++)
        out.set([150, 112, 92], (y * width + x) * 3);
    }
    return { width, height, data: out };
  };
const darkness =
  (factor: number): Damage =>
  async ({ width, height, data }) => ({
    width,
    height,
    data: data.map((value) => Math.round(value * factor)),
  });

/** Ways to spoil a picture of 320 pixels, each from little to much. */
const DAMAGES: Readonly<Record<string, Damage[]>> = {
  blur: [0.7, 1.2, 2, 3.5].map(blur),
  "motion blur": [3, 6, 12, 24].map(motion),
  noise: [4, 8, 16, 32].map(noise),
  compression: [50, 25, 12, 5].map(jpeg),
  occlusion: [0.15, 0.3, 0.45, 0.6].map(occlusion),
  darkness: [0.6, 0.35, 0.2, 0.1].map(darkness),
};

const SIDE = 320;

export interface LadderResult {
  /** Share of pairs of strengths of one damage that the score orders rightly, the undamaged picture among them. */
  ordered: number;
  pairs: number;
  /** Mean score at each strength over that of the undamaged picture. */
  relative: number[];
}

/**
 * How well the built-in quality measure knows a damaged picture from a less damaged one.
 * @param seed of the people, who are in no training set of another seed
 */
export async function measureQualityLadder(
  seed: number,
  people: number,
): Promise<{ pictures: number; damages: Record<string, LadderResult> }> {
  const analyser = await FaceAnalyser.load();
  const scores: Record<string, number[][]> = Object.fromEntries(Object.keys(DAMAGES).map((name) => [name, []]));
  let pictures = 0;
  for (let identity = 0; identity < people; identity++) {
    const person = drawPerson(seed, identity);
    const { image } = (await Portrait.create(person, { size: SIDE })).render(drawView(person, 0), SIDE);
    const [found] = await analyser.detect(image);
    if (!found) continue;
    pictures++;
    const score = async (picture: RgbImage) => {
      const landmarks = await analyser.landmarks(picture, found.box);
      const { strength } = await analyser.describe(picture, landmarks);
      return recordingScore(recordingParts(cropBox(picture, found.box, RECORDING_SIDE, RECORDING_SIDE)), strength);
    };
    const clean = await score(image);
    for (const [name, steps] of Object.entries(DAMAGES)) {
      const row = [clean];
      for (const damage of steps) row.push(await score(await damage(image, found.box)));
      scores[name].push(row);
    }
  }
  return { pictures, damages: Object.fromEntries(Object.entries(scores).map(([name, rows]) => [name, ladder(rows)])) };
}

function ladder(rows: readonly number[][]): LadderResult {
  let [right, pairs] = [0, 0];
  for (const row of rows) {
    for (let i = 0; i < row.length; i++) {
      for (let j = i + 1; j < row.length; j++) {
        pairs++;
        right += Number(row[i] > row[j]);
      }
    }
  }
  const relative = (rows[0] ?? [])
    .slice(1)
    .map((_, k) => rows.reduce((sum, row) => sum + row[k + 1] / row[0], 0) / rows.length);
  return { ordered: right / pairs, pairs, relative };
}
