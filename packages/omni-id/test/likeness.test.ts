import { ARCFACE_TEMPLATE, modelFile, recogniserModel } from "@omni-id/face";
import { Generator, noGrad, randn, scope, type Tensor, tensor } from "@omni-id/torch";
import { beforeAll, describe, expect, it } from "vitest";
import { LikenessLoss } from "../src/train/likeness.ts";

/** Smooth pictures `[1, 3, 112, 112]` in [−1, 1]; the five points stand where the recogniser wants them. */
const picture = (k: number) =>
  tensor(
    Float32Array.from({ length: 3 * 112 * 112 }, (_, i) => {
      const [c, y, x] = [Math.floor(i / 12544), Math.floor(i / 112) % 112, i % 112];
      return 0.6 * Math.sin(x / (9 + k) + c) * Math.cos(y / (13 - k));
    }),
    { shape: [1, 3, 112, 112] },
  ).keep();
const points = tensor(ARCFACE_TEMPLATE, { shape: [1, 5, 2] }).keep();

describe("LikenessLoss", () => {
  let loss: LikenessLoss;
  const [one, other] = [picture(0), picture(4)];
  beforeAll(() => {
    loss = new LikenessLoss(modelFile(recogniserModel));
  });
  const total = (made: Tensor) => {
    const { cosine, perceptual } = loss.compare(made, one, points);
    return cosine.add(perceptual);
  };

  it("is zero for the target itself, and grows with what differs", () => {
    const values = (made: Tensor) =>
      scope(() => {
        const { cosine, perceptual } = loss.compare(made, one, points);
        return [cosine.item(), perceptual.item()];
      });
    for (const value of values(one)) expect(Math.abs(value)).toBeLessThan(1e-5);
    const near = values(one.mul(0.9).add(other.mul(0.1)));
    const far = values(other);
    for (const i of [0, 1]) {
      expect(near[i]).toBeGreaterThan(0);
      expect(far[i]).toBeGreaterThan(near[i]);
    }
  });

  it("has the gradient that finite differences give, to the made picture alone", () => {
    const made = other.detach().clone().requiresGrad_();
    const target = one.detach().clone().requiresGrad_();
    const { cosine, perceptual } = loss.compare(made, target, points);
    cosine.add(perceptual).backward();
    expect(target.grad).toBeNull();
    const direction = randn([1, 3, 112, 112], { generator: new Generator(3) });
    const slope = made.grad?.mul(direction).sum().item() ?? 0;
    const step = 1e-3;
    const [up, down] = [step, -step].map((h) => scope(() => noGrad(() => total(other.add(direction.mul(h))).item())));
    expect(slope).toBeCloseTo((up - down) / (2 * step), 1);
    expect(Math.abs(slope)).toBeGreaterThan(0.05);
  });
});
