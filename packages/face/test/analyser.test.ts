import { join } from "node:path";
import {
  type AnalysedFace,
  assetFolder,
  boundingBox,
  FaceAnalyser,
  loadImage,
  type RgbImage,
  resizeImage,
} from "@omni-id/face";
import { beforeAll, describe, expect, it } from "vitest";

/** Photographs of real people that face-api's package carries: they stay in the cache of the models. */
const sample = (number: number) => join(assetFolder("@vladmandic/face-api"), "demo", `sample${number}.jpg`);

let analyser: FaceAnalyser;
let photo: RgbImage;
let faces: AnalysedFace[];
beforeAll(async () => {
  analyser = await FaceAnalyser.load();
  photo = await loadImage(sample(3));
  faces = await analyser.analyse(photo);
});

const fromLeft = (some: readonly AnalysedFace[]) => [...some].sort((a, b) => a.box.x - b.box.x);
const eyes = ({ landmarks: l }: AnalysedFace) => Math.hypot(l[72] - l[90], l[73] - l[91]);
const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);

function mirrored({ width, height, data }: RgbImage): RgbImage {
  const out = new Uint8Array(data.length);
  for (let i = 0; i < width * height; i++) {
    const twin = i - (i % width) + (width - 1 - (i % width));
    out.set(data.subarray(3 * twin, 3 * twin + 3), 3 * i);
  }
  return { width, height, data: out };
}
/** Mean distance of two sets of landmarks, over the distance of the eyes. */
function landmarkError(a: AnalysedFace, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < 136; i += 2) sum += Math.hypot(a.landmarks[i] - b[i], a.landmarks[i + 1] - b[i + 1]);
  return sum / 68 / eyes(a);
}

describe("FaceAnalyser, on photographs", () => {
  it("finds the people, largest first, each with landmarks where a face has them", () => {
    expect(faces).toHaveLength(3);
    expect(faces.map(({ size }) => size)).toEqual([...faces.map(({ size }) => size)].sort((a, b) => b - a));
    for (const { box, landmarks: l, score, quality } of faces) {
      expect([box.x >= 0, box.x + box.width <= photo.width, box.width === box.height]).toEqual([true, true, true]);
      const around = boundingBox(l);
      expect(around.width).toBeGreaterThan(0.5 * box.width);
      expect(around.x).toBeGreaterThan(box.x - 0.25 * box.width);
      expect(l[72]).toBeLessThan(l[90]); // right eye left of the left one in the image
      expect(Math.max(l[73], l[91])).toBeLessThan(l[61]); // eyes above the nose's tip
      expect(l[61]).toBeLessThan(l[17]); // that above the chin
      expect([score > 0.65, quality > 0.3, quality <= 1]).toEqual([true, true, true]);
    }
  });

  it("sees a mirrored photo as the mirror image: places, landmarks, yaw", async () => {
    const others = fromLeft(await analyser.analyse(mirrored(photo))).reverse();
    expect(others).toHaveLength(3);
    for (const [i, face] of fromLeft(faces).entries()) {
      expect(others[i].box.x + others[i].box.width).toBeCloseTo(photo.width - face.box.x, -1.5);
      expect(Math.abs(others[i].pose.yaw + face.pose.yaw)).toBeLessThan(12);
      expect(Math.abs(eyes(others[i]) / eyes(face) - 1)).toBeLessThan(0.1);
    }
  });

  it("finds the same in half the pixels, and knows who is who", async () => {
    const half = await resizeImage(photo, photo.width / 2, photo.height / 2);
    const small = fromLeft(await analyser.analyse(half));
    const large = fromLeft(faces);
    expect(small).toHaveLength(3);
    const features = (image: RgbImage, some: readonly AnalysedFace[]) =>
      Promise.all(some.map(({ landmarks }) => analyser.recognise(image, landmarks)));
    const [a, b] = [await features(photo, large), await features(half, small)];
    for (const [i, face] of large.entries()) {
      const doubled = small[i].landmarks.map((value) => 2 * value);
      expect(landmarkError(face, doubled)).toBeLessThan(0.06);
      expect(cosine(a[i], a[i])).toBeCloseTo(1, 5);
      const [own, ...strangers] = [b[i], ...b.filter((_, k) => k !== i)].map((other) => cosine(a[i], other));
      expect(own).toBeGreaterThan(0.8);
      for (const stranger of strangers) expect(stranger).toBeLessThan(0.5);
    }
  });

  it("finds a face that is small in its photo, and one that fills it", async () => {
    const [{ box }] = faces;
    const cut = (margin: number): RgbImage => {
      const [x, y] = [Math.round(box.x - margin * box.width), Math.round(box.y - margin * box.height)];
      const side = Math.round((1 + 2 * margin) * box.width);
      const data = new Uint8Array(side * side * 3);
      for (let row = 0; row < side; row++) {
        const from = ((y + row) * photo.width + x) * 3;
        data.set(photo.data.subarray(from, from + side * 3), row * side * 3);
      }
      return { width: side, height: side, data };
    };
    expect(await analyser.detect(cut(0.05))).toHaveLength(1);
    const side = 120; // the face is 66 px wide in it
    const close = await resizeImage(cut(0.4), side, side);
    const data = new Uint8Array(1200 * 900 * 3).fill(120);
    for (let row = 0; row < side; row++) {
      data.set(close.data.subarray(3 * row * side, 3 * (row + 1) * side), ((100 + row) * 1200 + 950) * 3);
    }
    const [far] = await analyser.detect({ width: 1200, height: 900, data });
    expect(far?.box.x).toBeGreaterThan(940);
    expect((far?.box.x ?? 0) + (far?.box.width ?? 0)).toBeLessThan(950 + side + 10);
  });

  it("finds nobody where there is nobody", async () => {
    const sky = { width: 320, height: 240, data: Uint8Array.from({ length: 230_400 }, (_, i) => (i / 960) % 256) };
    expect(await analyser.analyse(sky)).toEqual([]);
  });
});
