import { manualSeed, randn, scope, type Tensor } from "@omni-id/torch";
import { beforeAll, describe, expect, it } from "vitest";
import type { People } from "../src/people/people.ts";
import { resolvePreset } from "../src/presets/index.ts";
import { type MtdBatch, MtdModel, MtdStage } from "../src/train/mtd/stage.ts";
import { buildEncoder, buildMaskedDecoder } from "../src/weights/build.ts";
import { fakePeople } from "./fake-people.ts";
import { tinyPreset } from "./tiny-weights.ts";

const [PEOPLE, IMAGES] = [24, 8];
const preset = tinyPreset();

let people: People;
let model: MtdModel;
beforeAll(() => {
  manualSeed(2);
  people = fakePeople(PEOPLE, { images: IMAGES });
  model = new MtdModel(buildEncoder(preset), buildMaskedDecoder(preset));
});
const open = (seed: number) => new MtdStage({ model, people, preset: preset.mtd, seed });
const plain = ({ tasks, targets, tokens }: MtdBatch) =>
  scope(() => ({ tasks, targets, index: tokens.index.tolist(), visible: tokens.visible.tolist() }));

describe("the order of the data", () => {
  it("depends on seed and step alone: a run that starts at step 7 meets what another one met there", () => {
    const [one, other] = [open(3), open(3)];
    const met = [1, 2, 3, 4, 5, 6, 7].map((step) => plain(one.batch(step)));
    expect(plain(other.batch(7))).toEqual(met[6]);
    expect(plain(other.batch(2))).toEqual(met[1]);
    expect(met[6]).not.toEqual(met[5]);
    expect(plain(open(4).batch(7))).not.toEqual(met[6]);
  });

  it("names the images of a batch, for an error that a person can follow", () => {
    const stage = open(3);
    const batch = stage.batch(1);
    const [{ person, inputs }] = batch.tasks;
    expect(stage.describe(batch)).toContain(`fake-${person}.${inputs[0]}`);
  });
});

describe("the loss", () => {
  it("of untrained weights is that of the mean colour, and the identity does not matter yet", () => {
    const stage = open(1);
    scope(() => {
      const { loss, metrics } = stage.loss(stage.batch(1), 1);
      expect(loss.item()).toBeCloseTo(2 * metrics.l1, 6);
      expect(metrics.l1).toBeGreaterThan(0.1); // noise of ±50 steps around the middle
      expect(metrics.l1).toBeLessThan(0.25);
    });
    expect(scope(() => stage.probe(1)).gap).toBeCloseTo(0, 3);
  });

  it("reaches encoder and decoder", () => {
    const stage = open(1);
    // The decoder's last layer starts at zero: nothing behind it has a gradient before it has moved.
    scope(() => model.decoder.to_pixels.weight.detach().copy_(randn(model.decoder.to_pixels.weight.shape).mul(0.02)));
    scope(() => stage.loss(stage.batch(1), 1).loss.backward());
    const still = model.namedParameters().filter(([, { grad }]) => !grad || size(grad) === 0);
    expect(still.map(([key]) => key)).toEqual([]);
    model.zeroGrad();
  });

  it("with likeness wants the recogniser that measures it", () => {
    const weighed = resolvePreset("nano", ["mtd.loss.likeness=0.1"]);
    expect(() => new MtdStage({ model, people, preset: weighed.mtd, seed: 0 })).toThrow(/weighs likeness/);
  });
});

const size = (x: Tensor) => scope(() => x.abs().flatten().amax([0]).item());
