import { tensor } from "@omni-id/torch";
import { describe, expect, it } from "vitest";
import { cropBatch } from "../src/crop-batch.ts";
import { ARCFACE_TEMPLATE, alignmentMatrix, cropToFive } from "../src/crops.ts";
import { transformPoints } from "../src/geometry.ts";
import { fivePoints } from "../src/landmarks.ts";
import { schematicFace } from "./schematic-face.ts";

const face = schematicFace();
/** Smooth in both directions, so that how a pixel is sampled hardly matters. */
const noise = {
  width: 200,
  height: 200,
  data: Uint8Array.from({ length: 120000 }, (_, i) => {
    const [x, y, c] = [Math.floor(i / 3) % 200, Math.floor(i / 600), i % 3];
    return 128 + 60 * Math.sin(x / 20 + c) + 60 * Math.cos(y / 25);
  }),
};

describe("alignmentMatrix", () => {
  it("puts eyes and mouth at the same places whatever the size, place and tilt of the face", () => {
    const reference = transformPoints(face, alignmentMatrix(face, 64));
    const [cos, sin] = [2.3 * Math.cos(0.4), 2.3 * Math.sin(0.4)];
    const moved = transformPoints(face, [cos, -sin, 500, sin, cos, -80]);
    const again = transformPoints(moved, alignmentMatrix(moved, 64));
    for (const [i, value] of again.entries()) expect(value).toBeCloseTo(reference[i], 2);
    // Level eyes, left and right of the middle.
    expect(reference[73]).toBeCloseTo(reference[91], 0);
    expect((reference[72] + reference[90]) / 2).toBeCloseTo(32, 0);
  });

  it("refuses landmarks that are no face", () => {
    expect(() => alignmentMatrix(new Float32Array(136), 64)).toThrow(/no face/);
  });
});

describe("cropToFive", () => {
  it("moves the five points onto the template", () => {
    const five = fivePoints(face);
    const { image, matrix } = cropToFive(noise, five, ARCFACE_TEMPLATE, 112);
    expect([image.width, image.height]).toEqual([112, 112]);
    const landed = transformPoints(five, matrix);
    const error = Math.max(...landed.map((value, i) => Math.abs(value - ARCFACE_TEMPLATE[i])));
    expect(error).toBeLessThan(12); // the schematic face is not the template's
  });
});

describe("cropBatch", () => {
  it("is cropToFive on tensors", () => {
    const five = fivePoints(face);
    const plain = cropToFive(noise, five, ARCFACE_TEMPLATE, 112).image;
    const images = tensor(noise.data, { shape: [1, 200, 200, 3] })
      .permute([0, 3, 1, 2])
      .float();
    const made = cropBatch(images, tensor(five, { shape: [1, 5, 2] }), ARCFACE_TEMPLATE, 112);
    const wanted = tensor(plain.data, { shape: [1, 112, 112, 3] })
      .permute([0, 3, 1, 2])
      .float();
    expect(made.sub(wanted).abs().flatten().amax([0]).item()).toBeLessThan(1.01); // rounding to whole steps
  });

  it("carries gradients to the pixels", () => {
    const images = tensor(noise.data, { shape: [1, 200, 200, 3] })
      .permute([0, 3, 1, 2])
      .float()
      .contiguous()
      .requiresGrad_();
    cropBatch(images, tensor(fivePoints(face), { shape: [1, 5, 2] }), ARCFACE_TEMPLATE, 112)
      .sum()
      .backward();
    // Each crop pixel spreads a weight of one over the picture.
    expect(images.grad?.sum().item()).toBeCloseTo(3 * 112 * 112, -1);
  });
});
