import { type AnalysedFace, alignedCrop, arcfaceCrop, portraitOf, type RgbImage } from "@omni-id/face";
import { describe, expect, it } from "vitest";

/** Smooth, with detail everywhere. */
function photo(width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / (3 * width))];
    data[i] = 128 + 60 * Math.sin(x / 7 + (i % 3)) + 60 * Math.cos(y / 11 - x / 23);
  }
  return { width, height, data };
}

/** A face as wide as `size` around a point: the eyes' and mouth's landmarks are where a face has them. */
function faceAt(x: number, y: number, size: number): AnalysedFace {
  const landmarks = new Float32Array(136);
  const put = (from: number, to: number, u: number, v: number) => {
    for (let i = from; i < to; i++) landmarks.set([x + u * size, y + v * size], 2 * i);
  };
  put(0, 68, 0, 0.1);
  put(36, 42, -0.22, -0.1);
  put(42, 48, 0.22, -0.1);
  for (const i of [48, 60]) put(i, i + 1, -0.17, 0.3);
  for (const i of [54, 64]) put(i, i + 1, 0.17, 0.3);
  const box = { x: x - size / 2, y: y - size / 2, width: size, height: size };
  const pose = { yaw: 0, pitch: 0, roll: 0 };
  const seen = { feature: new Float32Array(512), strength: 3, clarity: 3, turn: 0 };
  return { box, score: 1, landmarks, pose, quality: 1, size, ...seen };
}

const largest = (a: Uint8Array, b: Uint8Array) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);

describe("portraitOf", () => {
  it("leaves small photos alone", async () => {
    const image = photo(300, 200);
    const face = faceAt(150, 100, 80);
    expect(await portraitOf(image, face)).toEqual({ image, face });
  });

  it.each([
    ["in the middle", 1000, 700, 240],
    ["at the edge", 90, 1400, 200],
  ])("cuts around a face %s of a large photo: crops of the face are the same bytes", async (_, x, y, size) => {
    const image = photo(2000, 1500);
    const face = faceAt(x, y, size);
    const portrait = await portraitOf(image, face);
    expect(portrait.image.width * portrait.image.height).toBeLessThan(730 * 730);
    expect(arcfaceCrop(portrait.image, portrait.face.landmarks).data).toEqual(arcfaceCrop(image, face.landmarks).data);
    const [a, b] = [portrait, { image, face }].map((one) => alignedCrop(one.image, one.face.landmarks, 64).image.data);
    expect(a).toEqual(b);
  });

  it("scales a face down that fills a large photo, and its crops hardly change", async () => {
    const image = photo(2400, 2000);
    const face = faceAt(1200, 1000, 1500);
    const { image: small, face: placed } = await portraitOf(image, face);
    expect(Math.max(small.width, small.height)).toBe(1024);
    expect(placed.size / small.width).toBeCloseTo(1500 / 2400, 2);
    expect(placed.box.x / small.width).toBeCloseTo(face.box.x / 2400, 2);
    const crops = [arcfaceCrop(small, placed.landmarks), arcfaceCrop(image, face.landmarks)];
    expect(largest(crops[0].data, crops[1].data)).toBeLessThan(12);
  });
});
