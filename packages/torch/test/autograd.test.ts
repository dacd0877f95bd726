import {
  enableGrad,
  F,
  Generator,
  grad,
  isGradEnabled,
  noGrad,
  ones,
  randn,
  type Tensor,
  tensor,
  zeros,
} from "@omni-id/torch";
import { describe, expect, test } from "vitest";
import { expectClose } from "./close.ts";
import { expectGradients } from "./gradcheck.ts";

const generator = new Generator(3);
const leaf = (...shape: number[]) => randn(shape, { dtype: "float64", generator, requiresGrad: true });
const positive = (...shape: number[]) =>
  leaf(...shape)
    .detach()
    .abs()
    .add(0.5)
    .requiresGrad_();

describe("gradients equal finite differences", () => {
  const cases: [string, (...t: Tensor[]) => Tensor, Tensor[]][] = [
    ["add, mul, div with broadcasting", (x, y) => x.add(y).mul(x).div(y.square().add(1)), [leaf(3, 4), leaf(4)]],
    ["pow, exp, log, sqrt, rsqrt", (x) => x.pow(1.7).add(x.exp().log().sqrt()).mul(x.rsqrt()), [positive(5)]],
    [
      "tanh, sigmoid, silu, gelu",
      (x) =>
        x
          .tanh()
          .add(x.sigmoid())
          .add(x.silu())
          .add(x.gelu())
          .add(x.gelu({ approximate: "tanh" })),
      [leaf(7)],
    ],
    ["matmul of a batch", (x, y) => x.matmul(y), [leaf(2, 3, 4), leaf(4, 2)]],
    [
      "softmax, logSoftmax, logsumexp",
      (x) =>
        x
          .softmax(-1)
          .add(x.logSoftmax(0))
          .add(x.logsumexp(1, { keepdim: true })),
      [leaf(3, 4)],
    ],
    ["var, mean, norm, amax", (x) => x.var(1).add(x.mean(1)).add(x.norm(1)).add(x.amax(1)), [leaf(3, 4)]],
    [
      "at, gather, roll, flip, cumsum",
      (x) =>
        x
          .at(":", { start: 1 })
          .cumsum(1)
          .add(x.roll(1, 1).flip([0]).at(":", { end: 3 })),
      [leaf(3, 4)],
    ],
    [
      "linear, layerNorm, rmsNorm",
      (x, w, b) => F.layerNorm(F.linear(x, w, b), [3], b, b).add(F.linear(x, w)),
      [leaf(2, 4), leaf(3, 4), leaf(3)],
    ],
    [
      "conv2d, pooling, padding",
      (x, k) => F.avgPool2d(F.conv2d(F.pad(x, [1, 0, 0, 1]), k), 2),
      [leaf(1, 2, 5, 5), leaf(2, 2, 2, 2)],
    ],
    [
      "attention",
      (q, k, v) => F.scaledDotProductAttention(q, k, v, { scale: 0.4 }),
      [leaf(1, 2, 3, 4), leaf(1, 2, 5, 4), leaf(1, 2, 5, 4)],
    ],
    ["gridSample, interpolate", (x) => F.interpolate(x, { size: [5, 5], mode: "bilinear" }), [leaf(1, 1, 3, 3)]],
    [
      "normalize, losses",
      (x, y) => F.normalize(x).sum().add(F.mseLoss(x, y)).add(F.smoothL1Loss(x, y)),
      [leaf(3, 4), leaf(3, 4)],
    ],
  ];
  test.each(cases)("%s", (_, fn, inputs) => expectGradients(fn, inputs));
});

describe("backward", () => {
  test("adds into .grad of the leaves", () => {
    const x = tensor([1, 2, 3], { requiresGrad: true });
    x.square().sum().backward();
    x.square().sum().backward();
    expectClose(x.grad as Tensor, [4, 8, 12]);
    x.grad = null;
    expect(x.grad).toBeNull();
  });
  test("a vector needs a gradient, which may be given", () => {
    const x = ones([2], { requiresGrad: true });
    expect(() => x.mul(2).backward()).toThrow(/backward\(float32\[2\]\).*scalar/);
    x.mul(2).backward(tensor([1, 10]));
    expectClose(x.grad as Tensor, [2, 20]);
  });
  test("a second backward through a freed graph, and nothing to differentiate, are errors", () => {
    const y = ones([1], { requiresGrad: true }).square().sum();
    y.backward();
    expect(() => y.backward()).toThrow(/second time/);
    expect(() => zeros([1]).sum().backward()).toThrow(/does not require grad/);
  });
  test("a gradient of the wrong shape is refused", () => {
    const x = ones([2], { requiresGrad: true });
    expect(() => {
      x.grad = zeros([3]);
    }).toThrow("the gradient of float32[2] must have its shape, got float32[3]");
  });
});

describe("grad", () => {
  test("of second order with createGraph", () => {
    const x = tensor([2], { requiresGrad: true, dtype: "float64" });
    const [first] = grad(x.pow(3).sum(), [x], { createGraph: true });
    const [second] = grad(first.sum(), [x]);
    expect(second.item()).toBeCloseTo(12, 12);
    expect(x.grad).toBeNull();
  });
  test("an unused input is an error, or null when allowed", () => {
    const x = ones([1], { requiresGrad: true });
    const z = ones([1], { requiresGrad: true });
    expect(() => grad(x.sum(), [x, z])).toThrow(/not have been used/);
    expect(grad(x.sum(), [x, z], { allowUnused: true })[1]).toBeNull();
  });
});

describe("grad mode", () => {
  test("noGrad and enableGrad nest and are restored after a throw", () => {
    const x = ones([1], { requiresGrad: true });
    expect(noGrad(() => x.mul(2).requiresGrad)).toBe(false);
    expect(noGrad(() => enableGrad(() => x.mul(2).requiresGrad))).toBe(true);
    expect(() =>
      noGrad(() => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(isGradEnabled()).toBe(true);
    expect(x.mul(2).detach().requiresGrad).toBe(false);
  });
  test("an async function is refused", () => {
    expect(() => noGrad(async () => 1)).toThrow("must not be async");
  });
});
