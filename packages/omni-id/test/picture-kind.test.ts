import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { renderPictures } from "@omni-id/data";
import { assetFolder, FaceAnalyser, loadImage, type RgbImage } from "@omni-id/face";
import { manualSeed, randn, scope, tensor } from "@omni-id/torch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeIdentity } from "../src/encode.ts";
import { describeNearness, nearness } from "../src/evaluate/nearness.ts";
import type { Judge } from "../src/evaluate/recognisers.ts";
import { distances } from "../src/evaluate/reconstruct.ts";
import { guidanceFor, kindOfPictures, REAL_GUIDANCE, UNFAMILIAR } from "../src/generate/draw-settings.ts";
import { FaceGenerator } from "../src/generate/face-generator.ts";
import { loadIdentity, saveIdentity } from "../src/identity.ts";
import { type LoadedEncoder, loadEncoder } from "../src/weights/first-stage.ts";
import { shippedWeights } from "../src/weights/folder.ts";
import { KNOWN_FILE } from "../src/weights/known-people.ts";

const root = mkdtempSync(join(tmpdir(), "omni-id-kind-"));
afterAll(() => rmSync(root, { recursive: true }));

/** A face with as much around it as it is large. */
function around(
  { width, height, data }: RgbImage,
  box: { x: number; y: number; width: number; height: number },
): RgbImage {
  const side = Math.round(2 * Math.max(box.width, box.height));
  const [left, top] = [Math.round(box.x + (box.width - side) / 2), Math.round(box.y + (box.height - side) / 2)];
  const out = new Uint8Array(3 * side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const [u, v] = [left + x, top + y];
      if (u < 0 || v < 0 || u >= width || v >= height) continue;
      out.set(data.subarray(3 * (v * width + u), 3 * (v * width + u) + 3), 3 * (y * side + x));
    }
  }
  return { width: side, height: side, data: out };
}

describe("the kind of pictures", () => {
  let encoder: LoadedEncoder;
  beforeAll(async () => {
    encoder = await loadEncoder();
  });
  const rendered = async (identity: number) => {
    const { images } = await renderPictures({ seed: 77, identity, images: 1, size: 128 });
    return images.map(({ image }, i) => ({ name: `rendered ${identity}.${i}`, image }));
  };
  /** Real people: faces cut out of the photographs of groups that a package of models carries. */
  const photographed = async (sample: number) => {
    const path = join(assetFolder("@vladmandic/face-api"), "demo", `sample${sample}.jpg`);
    const image = await loadImage(path);
    const faces = await (await FaceAnalyser.load()).analyse(image);
    return faces
      .filter(({ box }) => box.width > 60)
      .slice(0, 2)
      .map(({ box }, i) => ({ name: `${sample}.${i}`, image: around(image, box) }));
  };

  it("is told from the identity alone: photographs are strange to weights that know rendered people", async () => {
    const people = [...(await photographed(1)), ...(await photographed(2)), ...(await photographed(5))];
    expect(people.length).toBeGreaterThan(2);
    for (const person of people) {
      const { identity } = await encodeIdentity(encoder, [person]);
      expect(identity.strangeness, person.name).toBeGreaterThan(UNFAMILIAR);
    }
    const each: number[] = [];
    for (const person of [0, 1, 2, 3]) {
      each.push((await encodeIdentity(encoder, await rendered(person))).identity.strangeness as number);
    }
    // One in eighty lies beyond.
    expect(each.filter((strangeness) => strangeness < UNFAMILIAR).length).toBeGreaterThan(2);
  });

  it("is the root mean square of the carried tokens in the training people's deviations", () => {
    const { bundle } = encoder;
    manualSeed(3);
    const identity = randn([...bundle.encoder.identityShape]);
    const all = [identity, bundle.identity_mean, bundle.identity_deviation].map(
      (values) => (values.tolist() as number[][]).slice(0, bundle.encoder.carriedTokens).flat() as number[],
    );
    const squares = all[0].map((value, i) => ((value - all[1][i]) / all[2][i]) ** 2);
    const wanted = Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
    expect(bundle.strangeness(identity)).toBeCloseTo(wanted, 4);
    expect(bundle.strangeness(bundle.identity_mean)).toBe(0);
  });

  it("stands in the identity file, and decides on the guidance where nobody names one", async () => {
    const generator = await FaceGenerator.load(undefined, encoder);
    const { identity } = await encodeIdentity(encoder, (await photographed(1)).slice(0, 1));
    const file = join(root, "person.safetensors");
    saveIdentity(file, identity);
    const read = loadIdentity(file);
    expect(read.strangeness).toBeCloseTo(identity.strangeness as number, 3);
    // The shipped weights tell what their decoders have met: that part of a photographed person is drawn, as any other is.
    expect(generator.guidanceFor(read.tokens)).toBe(generator.guidance);
    const part = generator.drawable(read.tokens);
    expect(scope(() => part.sub(read.tokens).abs().max().item())).toBeGreaterThan(0.1);
    expect(encoder.bundle.strangeness(part)).toBeLessThan(UNFAMILIAR);
    const [one] = await rendered(0);
    const { tokens } = (await encodeIdentity(encoder, [one])).identity;
    expect(generator.guidanceFor(tokens)).toBe(generator.guidance);
    expect(generator.drawable(tokens)).toBe(tokens);
    // Weights without such a file take less guidance.
    const bare = join(root, "bare");
    cpSync(shippedWeights(), bare, { recursive: true, filter: (path) => !path.includes(KNOWN_FILE) });
    const older = await FaceGenerator.load(bare);
    expect([older.guidanceFor(read.tokens), older.realGuidance]).toEqual([REAL_GUIDANCE, REAL_GUIDANCE]);
    expect(older.drawable(read.tokens)).toBe(read.tokens);
    const { strangeness: _, ...untold } = identity;
    saveIdentity(file, untold);
    expect(loadIdentity(file)).not.toHaveProperty("strangeness");
  });

  it("never asks for more guidance than is usual", () => {
    expect([kindOfPictures(1), kindOfPictures(1.4)]).toEqual(["trained", "other"]);
    expect([guidanceFor(1, 3), guidanceFor(1.4, 3), guidanceFor(undefined, 3), guidanceFor(1.4, 1)]).toEqual([
      3,
      REAL_GUIDANCE,
      3,
      1,
    ]);
  });
});

describe("how near the drawn person is", () => {
  /** Sees the mean colour. */
  const judge: Judge = {
    measure: "euclidean",
    embed: (faces) => scope(() => faces.mean([2, 3])),
    compare: distances,
  };
  const faces = (...reds: number[]) => ({
    pictures: scope(() =>
      tensor(
        reds.flatMap((red) => [red, 0, 0]),
        { shape: [reds.length, 3, 1, 1] },
      )
        .expand([-1, -1, 4, 4])
        .contiguous(),
    ),
    landmarks: reds.map(() => new Float32Array(136)),
  });

  it("is the mean distance to the photos, beside somebody else's and the photos' own", () => {
    const near = nearness(judge, { drawn: faces(0.2, 0.4), other: faces(1), photos: faces(0, 0.1) });
    expect(near.drawn).toBeCloseTo(0.25);
    expect(near.other).toBeCloseTo(0.95);
    expect(near.photos).toBeCloseTo(0.1);
    expect(nearness(judge, { drawn: faces(0.2), other: faces(1), photos: faces(0) })).not.toHaveProperty("photos");
  });

  it("is a sentence in the recogniser's own words", () => {
    expect(describeNearness({ drawn: 0.71, other: 0.76, photos: 0.42 }, "your photos")).toBe(
      "The drawn person stands 0.71 from your photos by the independent recogniser, which calls two faces one person " +
        "up to 0.60, so to it this is somebody else (your photos among themselves 0.42, drawn from somebody else's identity 0.76).",
    );
    expect(describeNearness({ drawn: 0.6, other: 0.76 }, "the person's pictures")).toContain("this is the same person");
  });
});
