import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tensor } from "@omni-id/torch";
import { afterAll, describe, expect, test } from "vitest";
import { onnxBytes } from "../../torch/test/onnx-graph.ts";
import type { RgbImage } from "../src/picture-types.ts";
import { QualityNet } from "../src/quality-net.ts";
import { RECORDING_SIDE, recordingParts, recordingScore } from "../src/recording.ts";

let state = 1;
const uniform = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());

/** Soft shapes with some fine lines, like a face: most pixels lie on no edge. */
function picture(value: (x: number, y: number) => number): RgbImage {
  const side = RECORDING_SIDE;
  const data = new Uint8Array(side * side * 3);
  for (let i = 0; i < side * side; i++)
    data.fill(Math.max(0, Math.min(255, Math.round(value(i % side, Math.floor(i / side))))), 3 * i, 3 * i + 3);
  return { width: side, height: side, data };
}
const shapes = (x: number, y: number) =>
  120 + 50 * Math.sin(x / 25) * Math.cos(y / 31) + (x % 37 < 2 ? -60 : 0) + (y % 41 < 2 ? 50 : 0);
const clean = picture(shapes);
const score = (image: RgbImage, strength = 3) => recordingScore(recordingParts(image), strength);

describe("recordingParts", () => {
  test("measures the deviation of white noise, and takes it off the detail", () => {
    for (const deviation of [4, 8, 16]) {
      const noisy = recordingParts(picture(() => 120 + deviation * normal()));
      // clean = 1 / (1 + (σ / 7)²)
      expect(7 * Math.sqrt(1 / noisy.clean - 1)).toBeCloseTo(deviation, -0.2);
      expect(noisy.detail).toBeLessThan(0.6);
    }
    const [before, after] = [recordingParts(clean), recordingParts(picture((x, y) => shapes(x, y) + 6 * normal()))];
    expect(Math.abs(after.detail / before.detail - 1)).toBeLessThan(0.1);
  });
  test("blur takes detail away, more the wider it is", () => {
    const smeared = (width: number) =>
      picture((x, y) => {
        let sum = 0;
        for (let k = 0; k < width; k++) sum += shapes(x + k, y);
        return sum / width;
      });
    const scores = [clean, smeared(3), smeared(6), smeared(12)].map((image) => score(image));
    expect([...scores].sort((a, b) => b - a)).toEqual(scores);
  });
  test("contrast and darkness count, but light of the usual strengths does not", () => {
    expect(recordingParts(clean).exposure).toBe(1);
    expect(recordingParts(picture((x, y) => 0.12 * shapes(x, y))).exposure).toBeLessThan(0.2);
    expect(recordingParts(picture(() => 255)).exposure).toBe(0);
  });
  test("flat and tiny pictures give figures too", () => {
    for (const image of [
      picture(() => 0),
      { width: 5, height: 5, data: new Uint8Array(75) },
      { width: 2, height: 2, data: new Uint8Array(12) },
    ]) {
      for (const value of Object.values(recordingParts(image))) expect(value).toBeGreaterThanOrEqual(0);
      expect(score(image)).toBe(0);
    }
  });
  test("the more the recogniser saw, the better", () => {
    const scores = [1, 2, 3, 5].map((strength) => score(clean, strength));
    expect([...scores].sort((a, b) => a - b)).toEqual(scores);
    expect(score(clean, 1e9)).toBeLessThanOrEqual(1);
  });
});

describe("QualityNet", () => {
  const root = mkdtempSync(join(tmpdir(), "omni-id-quality-"));
  afterAll(() => rmSync(root, { recursive: true }));
  const put = (name: string, bytes: Uint8Array | string) => {
    writeFileSync(join(root, name), bytes);
    return join(root, name);
  };
  const input = tensor(new Float32Array(3 * 512 * 512), { shape: [1, 3, 512, 512] });
  const model = (op: string, attributes: Record<string, number | number[]>) =>
    onnxBytes({
      nodes: [{ op, inputs: ["x"], outputs: ["y"], attributes }],
      inputs: { x: input },
      outputs: ["y"],
      opset: 13,
    });
  /** A frontal face that fills 512 pixels as FFHQ's do. */
  const landmarks = new Float32Array(136);
  const put2 = (points: number[], x: number, y: number) => {
    for (const point of points) landmarks.set([x, y], 2 * point);
  };
  put2([36, 37, 38, 39, 40, 41], 193.5, 240.4);
  put2([42, 43, 44, 45, 46, 47], 319.4, 240.7);
  put2([30], 257.1, 314.5);
  put2([48, 60], 201.8, 371.9);
  put2([54, 64], 313.6, 371.7);

  test("rates the aligned face in 0…1 by the user's model", async () => {
    const net = await QualityNet.load(put("mean.onnx", model("ReduceMean", { axes: [1, 2, 3], keepdims: 0 })));
    const half = {
      width: 512,
      height: 512,
      data: Uint8Array.from({ length: 512 * 512 * 3 }, (_, i) => (Math.floor(i / 3) % 512 < 256 ? 255 : 51)),
    };
    expect(await net.rate(half, landmarks)).toBeCloseTo(0.6, 2); // half at 1, half at 0.2
    expect(net.name).toBe("mean.onnx");
    expect(net.hash).toMatch(/^[0-9a-f]{64}$/);
  });
  test("what is no such model is refused with the reason", async () => {
    await expect(QualityNet.load(join(root, "none.onnx"))).rejects.toThrow(/none\.onnx: no such file/);
    await expect(QualityNet.load(put("text.onnx", "not a model"))).rejects.toThrow(/text\.onnx: not an ONNX model/);
    const maps = await QualityNet.load(put("maps.onnx", model("ReduceMean", { axes: [1], keepdims: 0 })));
    const image = { width: 512, height: 512, data: new Uint8Array(512 * 512 * 3) };
    await expect(maps.rate(image, landmarks)).rejects.toThrow(/maps\.onnx: gave 262144 figures.*one is expected/);
  });
});
