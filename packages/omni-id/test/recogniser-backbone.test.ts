import { ARCFACE_TEMPLATE, FaceAnalyser, type RgbImage } from "@omni-id/face";
import { manualSeed, noGrad, randn, scope, type Tensor } from "@omni-id/torch";
import { beforeAll, describe, expect, it } from "vitest";
import { RecogniserBackbone } from "../src/backbones/recogniser.ts";
import { rgbBatch, toUnit } from "../src/pictures/rgb-batch.ts";

const largest = (x: Tensor) => scope(() => x.abs().flatten().amax([0]).item());
/** A smooth picture: the network is meant for photos, not for noise. */
function picture(k: number): RgbImage {
  const data = Uint8Array.from({ length: 112 * 112 * 3 }, (_, i) => {
    const [x, y, c] = [Math.floor(i / 3) % 112, Math.floor(i / 336), i % 3];
    return 128 + 90 * Math.sin(x / (9 + k) + c) * Math.cos(y / (13 - k));
  });
  return { width: 112, height: 112, data };
}

describe("RecogniserBackbone", () => {
  let backbone: RecogniserBackbone;
  const photos = toUnit(rgbBatch([picture(0), picture(3)]));
  beforeAll(() => {
    manualSeed(1);
    backbone = RecogniserBackbone.load({ width: 64 });
  });

  it("gives a 7×7 grid and the class tokens of each photo, each photo on its own", () => {
    noGrad(() => {
      const both = backbone.forward(photos);
      expect(both.shape).toEqual([2, 57, 64]);
      expect(largest(backbone.forward(photos.narrow(0, 1, 1)).sub(both.narrow(0, 1, 1)))).toBeLessThan(1e-4);
    });
  });

  it("its class tokens are the recogniser's own feature, cut to the width, the last one filled up", () => {
    noGrad(() => {
      const { feature } = backbone.describe(photos);
      const got = backbone.forward(photos).narrow(1, 49, 8).flatten(1);
      expect(largest(got.sub(feature.mul(Math.sqrt(512))))).toBeLessThan(1e-3);
      const wide = RecogniserBackbone.load({ width: 300 });
      expect(wide.classTokens).toBe(2);
      const filled = wide.forward(photos).narrow(1, 49, 2).flatten(1);
      expect(largest(filled.narrow(1, 0, 512).sub(got))).toBeLessThan(1e-3);
      expect(largest(filled.narrow(1, 512, 88))).toBe(0);
    });
  });

  it("describes a photo as onnxruntime does", async () => {
    const { feature } = backbone.describe(photos.narrow(0, 0, 1));
    // The crop is the picture itself when the landmarks stand where the template has them.
    const points = new Float32Array(136);
    const put = (i: number, k: number) => points.set([ARCFACE_TEMPLATE[2 * k], ARCFACE_TEMPLATE[2 * k + 1]], 2 * i);
    for (let i = 36; i < 42; i++) put(i, 0);
    for (let i = 42; i < 48; i++) put(i, 1);
    put(30, 2);
    for (const i of [48, 60]) put(i, 3);
    for (const i of [54, 64]) put(i, 4);
    const reference = await (await FaceAnalyser.load()).recognise(picture(0), points);
    const cosine = (feature.flatten(0).toTypedArray() as Float32Array).reduce((sum, v, i) => sum + v * reference[i], 0);
    expect(cosine).toBeGreaterThan(0.99);
  });

  it("standardises by what it is shown, and does not let single channels drown the rest", () => {
    manualSeed(2);
    const own = RecogniserBackbone.load({ width: 8 });
    const sample = randn([16, 49, 1024]).mul(3).add(5);
    own.standardise(sample);
    expect(largest(own.mean.sub(5))).toBeLessThan(0.6);
    expect(largest(own.deviation.sub(3))).toBeLessThan(0.5);
    const odd = sample.narrow(0, 0, 1).clone();
    odd.select(0, 0).select(0, 0).select(0, 0).fill_(1e6);
    noGrad(() => expect(largest(own.fromMaps(odd).narrow(1, 0, 49))).toBeLessThan(100));
  });
});
