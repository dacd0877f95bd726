import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cat, F, manualSeed, noGrad, randn, scope, type Tensor } from "@omni-id/torch";
import { afterAll, describe, expect, it } from "vitest";
import type { Backbone } from "../src/backbones/backbone.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { ArcFaceRepresentation } from "../src/representations/arcface.ts";
import { ArcFaceClipRepresentation } from "../src/representations/arcface-clip.ts";
import { ImageTokensRepresentation } from "../src/representations/image-tokens.ts";
import { openFlowStage } from "../src/train/flow/open.ts";
import { buildFlowAdapter, buildRepresentation } from "../src/weights/build.ts";
import { EncoderBundle, loadEncoder, loadRepresentation, saveEncoder } from "../src/weights/first-stage.ts";
import { shippedWeights } from "../src/weights/folder.ts";

const TOKENS = 5;
const WIDTH = 12;
const backbone = { tokens: TOKENS, width: WIDTH, parameters: () => [] } as unknown as Backbone;

/** Two people with `photos` photos each. */
function set(photos: number): { z: Tensor; features: Tensor } {
  return scope(() => ({
    z: randn([2, photos * TOKENS, WIDTH]),
    features: F.normalize(randn([2, photos, 512]), { dim: 2 }),
  }));
}
const apart = (a: Tensor, b: Tensor) => scope(() => a.sub(b).abs().amax().item());
const photo = ({ z, features }: ReturnType<typeof set>, number: number) => ({
  z: z.narrow(1, number * TOKENS, TOKENS),
  features: features.narrow(1, number, 1),
});

const make = {
  arcface: (photos: "joined" | "mean") => new ArcFaceRepresentation({ backbone, tokens: 4, width: 8, photos }),
  backbone: (photos: "joined" | "mean") => new ImageTokensRepresentation({ backbone, photos }),
  "arcface-clip": (photos: "joined" | "mean") =>
    new ArcFaceClipRepresentation({
      backbone,
      tokens: 4,
      width: 8,
      crossBlocks: 2,
      selfBlocks: 2,
      headWidth: 4,
      photos,
    }),
};

describe.each(Object.entries(make))("the representation %s", (_, of) => {
  it("gives a photo its shape, and photos joined so many times as many tokens: each photo's own", () => {
    manualSeed(1);
    scope(() =>
      noGrad(() => {
        const joined = of("joined");
        const [tokens, width] = joined.identityShape;
        const three = set(3);
        const all = joined.fromTokens(three.z, three.features);
        expect(all.shape).toEqual([2, 3 * tokens, width]);
        const one = [0, 1, 2].map((number) => photo(three, number));
        const apartOnes = cat(
          one.map(({ z, features }) => joined.fromTokens(z, features)),
          1,
        );
        expect(apart(all, apartOnes)).toBeLessThan(1e-5);
      }),
    );
  });

  it("gives the mean the shape of one, whatever the order, and the same for a photo given twice", () => {
    manualSeed(2);
    scope(() =>
      noGrad(() => {
        const mean = of("mean");
        const two = set(2);
        const [first, second] = [photo(two, 0), photo(two, 1)];
        const made = mean.fromTokens(two.z, two.features);
        expect(made.shape).toEqual([2, ...mean.identityShape]);
        const turned = mean.fromTokens(cat([second.z, first.z], 1), cat([second.features, first.features], 1));
        expect(apart(made, turned)).toBeLessThan(1e-5);
        const twice = mean.fromTokens(cat([first.z, first.z], 1), cat([first.features, first.features], 1));
        expect(apart(twice, mean.fromTokens(first.z, first.features))).toBeLessThan(1e-5);
        expect(apart(made, twice)).toBeGreaterThan(1e-3);
      }),
    );
  });
});

describe("what a representation looks at", () => {
  it("is the recogniser's feature for ArcFace, by x W + b, normed; the image tokens do not matter", () => {
    manualSeed(3);
    scope(() =>
      noGrad(() => {
        const arcface = make.arcface("joined");
        const { z, features } = set(1);
        const made = arcface.fromTokens(z, features);
        const { weight, bias } = arcface.proj;
        const plain = features
          .squeeze(1)
          .mul(Math.sqrt(512))
          .matmul(weight.t())
          .add(bias as Tensor);
        const tokens = plain.reshape([2, 4, 8]);
        const mean = tokens.mean([2], { keepdim: true });
        const variance = tokens.sub(mean).square().mean([2], { keepdim: true });
        expect(apart(made, tokens.sub(mean).div(variance.add(1e-5).sqrt()))).toBeLessThan(1e-4);
        expect(apart(made, arcface.fromTokens(z.mul(7), features))).toBe(0);
      }),
    );
  });

  it("is both for ArcFace + CLIP, each with a gradient", () => {
    manualSeed(4);
    const both = make["arcface-clip"]("mean");
    const { z, features } = set(2);
    for (const given of [z, features]) given.requiresGrad_(true);
    scope(() => both.fromTokens(z, features).pow(3).sum().backward());
    for (const part of [z, features, both.proj.weight]) {
      expect(scope(() => (part.grad as Tensor).abs().sum().item())).toBeGreaterThan(0);
    }
  });
});

describe("weights of a representation", () => {
  const root = mkdtempSync(join(tmpdir(), "omni-id-representations-"));
  afterAll(() => rmSync(root, { recursive: true }));
  const preset = (...set: string[]) => resolvePreset("nano-paper", ["mtd.backboneRate=0", ...set]);

  it("are opened by what they tell of themselves, and refused where an encoder is wanted", async () => {
    const arcface = preset("representation.kind=arcface", "representation.photos=mean");
    await saveEncoder(root, { bundle: new EncoderBundle(buildRepresentation(arcface)), preset: arcface, metadata: {} });
    const { bundle } = await loadRepresentation(root);
    expect(bundle.encoder).toBeInstanceOf(ArcFaceRepresentation);
    await expect(loadEncoder(root)).rejects.toThrow(
      /holds the representation "arcface".*train flow and evaluate take it/,
    );
  });

  it("are taken by stage two where the preset names the same, and start from nothing after an encoder's", async () => {
    const open = (...set: string[]) =>
      openFlowStage({
        ...{
          preset: preset(...set),
          seed: 0,
          data: ["nowhere"],
          cache: root,
          note: (text: string) => notes.push(text),
        },
        ...{ encoder: root, base: shippedWeights() },
      });
    const notes: string[] = [];
    await expect(open("representation.kind=backbone")).rejects.toThrow(
      /holds the representation "arcface".*kind=backbone is wanted/,
    );
    await expect(open("representation.kind=arcface")).rejects.toThrow(
      /its photos enter mean, and representation.photos=joined/,
    );
    await expect(open()).rejects.toThrow(/holds the representation "arcface".*kind=encoder is wanted/);
  });

  it("cannot be CLIP's without CLIP, nor as many tokens as there are photos where their number is fixed", () => {
    expect(() => buildRepresentation(preset("representation.kind=clip"))).toThrow(/wants CLIP as the backbone/);
    const joined = resolvePreset("nano", ["representation.kind=arcface"]);
    expect(() => buildFlowAdapter(joined)).toThrow(/representation.photos=mean/);
  });
});
