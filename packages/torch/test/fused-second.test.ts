import { autocast, cat, F, Generator, grad, nn, randn, scope, stack, type Tensor, zeros } from "@omni-id/torch";
import { describe, expect, test } from "vitest";
import { expectClose } from "./close.ts";

const generator = new Generator(23);
const leaf = (...shape: number[]) => randn(shape, { generator }).requiresGrad_();

/** Gradients of a gradient's norm: float32 by the fused operator against float64 by plain ones. */
function expectSameSecond(
  fused: (...t: Tensor[]) => Tensor,
  plain: (...t: Tensor[]) => Tensor,
  inputs: Tensor[],
  { rtol = 2e-4 } = {},
): void {
  const wide = inputs.map((t) => t.detach().double().requiresGrad_());
  const penalty = (fn: (...t: Tensor[]) => Tensor, over: Tensor[]) => {
    const y = fn(...over).sin(); // so that every input matters to every gradient
    const weights = zeros(y.shape).to(y.dtype).add(1).cumsum(-1).cos();
    const first = grad(y.mul(weights).sum(), over, { createGraph: true });
    return grad(
      first.map((g) => g.square().sum()).reduce((a, b) => a.add(b)),
      over,
    );
  };
  const [ours, theirs] = [penalty(fused, inputs), penalty(plain, wide)];
  for (const [i, g] of ours.entries()) {
    expectClose(g, theirs[i], { atol: rtol * Math.max(1, theirs[i].abs().amax().item()), rtol });
  }
}

describe("second derivatives", () => {
  const norm = (x: Tensor, w: Tensor, b: Tensor) => F.layerNorm(x, [w.shape[0]], w, b);
  const attention = (q: Tensor, k: Tensor, v: Tensor, heads: number, mask?: Tensor) => {
    const split = (t: Tensor) => t.unflatten(2, [heads, -1]).transpose(1, 2);
    let scores = split(q)
      .mul((q.shape[2] / heads) ** -0.5)
      .matmul(split(k).transpose(2, 3));
    if (mask) scores = scores.maskedFill(mask.logicalNot().unsqueeze(1).unsqueeze(1), Number.NEGATIVE_INFINITY);
    return scores.softmax(-1).matmul(split(v)).transpose(1, 2).flatten(2);
  };

  test("LayerNorm, as a module too", () => {
    expectSameSecond((x, w, b) => F.fusedLayerNorm(x, w, b), norm, [leaf(3, 7), leaf(7), leaf(7)]);
    const layer = new nn.LayerNorm({ size: 6 });
    const x = leaf(4, 6);
    const [first] = grad(layer.forward(x).square().sum(), [x], { createGraph: true });
    first.square().sum().backward();
    expect(x.grad?.abs().amax().item()).toBeGreaterThan(0);
    expect(layer.weight.grad?.abs().amax().item()).toBeGreaterThan(0);
  });

  test("of a strided input", () => {
    const transposed = (x: Tensor, w: Tensor, b: Tensor) => F.fusedLayerNorm(x.transpose(0, 1), w, b);
    expectSameSecond(transposed, (x, w, b) => norm(x.transpose(0, 1), w, b), [leaf(7, 3), leaf(7), leaf(7)]);
  });

  test("sum and LayerNorm, by either result", () => {
    for (const [s, n] of [
      [1, 1],
      [0, 1],
      [1, 0],
    ]) {
      const join = (sum: Tensor, normed: Tensor) =>
        cat([sum.mul(sum).mul(s), normed.mul(n), sum.add(normed).mul(1e-3)]);
      expectSameSecond(
        (x, d, w, b) => join(...F.addLayerNorm(x, d, w, b)),
        (x, d, w, b) => join(x.add(d), norm(x.add(d), w, b)),
        [leaf(3, 7), leaf(3, 7), leaf(7), leaf(7)],
      );
    }
  });

  test.each(["none", "tanh"] as const)("bias and GELU, approximate %s", (approximate) => {
    expectSameSecond(
      (x, b) => F.biasGelu(x, b, { approximate }),
      (x, b) => F.gelu(x.add(b), { approximate }),
      [leaf(4, 9), leaf(9)],
    );
  });

  test("modulated norm and gated residual", () => {
    const own = () => leaf(2, 1, 7);
    expectSameSecond(
      (x, shift, scale) => F.modulatedNorm(x, { shift, scale }),
      (x, shift, scale) => shift.addcmul(F.layerNorm(x, [7], null, null, { eps: 1e-6 }), scale.add(1)),
      [leaf(2, 3, 7), own(), own()],
    );
    expectSameSecond(
      (x, gate, delta) => F.gatedAdd(x, gate, delta).sin(),
      (x, gate, delta) => x.addcmul(gate, delta).sin(),
      [leaf(2, 3, 7), own(), leaf(2, 3, 7)],
    );
  });

  test("attention, with and without a mask", () => {
    const keyMask = zeros([2, 5], { dtype: "bool" });
    keyMask.slice(1, 0, 3).fill_(1);
    for (const mask of [undefined, keyMask]) {
      expectSameSecond(
        (x) => F.attentionPackedQkv(x, 2, { keyMask: mask }),
        (x) => attention(...(x.chunk(3, 2) as [Tensor, Tensor, Tensor]), 2, mask),
        [leaf(2, 5, 24)],
      );
      expectSameSecond(
        (q, kv) => F.attentionPackedKv(q, kv, 2, { keyMask: mask }),
        (q, kv) => attention(q, ...(kv.chunk(2, 2) as [Tensor, Tensor]), 2, mask),
        [leaf(2, 3, 8), leaf(2, 5, 16)],
      );
    }
  });

  test("RMSNorm and rotary positions", () => {
    const angle = randn([5, 3], { generator });
    const turns = stack([angle.cos(), angle.sin()], -1).flatten(-2);
    const options = (queryScale: Tensor, keyScale: Tensor) => ({ heads: 2, queryScale, keyScale, turns });
    expectSameSecond(
      (x, a, b) => F.qkNormRope(x, options(a, b)).sin(),
      (x, a, b) => F.qkNormRope(x, { ...options(a, b), turns: turns.double() }).sin(), // float64: plain operators
      [leaf(2, 5, 36), leaf(6), leaf(6)],
    );
  });

  test("third derivatives follow, and inputs that need none get none", () => {
    const [x, w, b] = [leaf(2, 5), leaf(5), zeros([5])];
    const derive = (y: Tensor) => grad(y.sin().sum(), [x], { createGraph: true })[0];
    const third = scope(() => derive(derive(derive(F.fusedLayerNorm(x, w, b)))));
    const wide = [x, w, b].map((t) => t.detach().double().requiresGrad_());
    const plainThird = [0, 1, 2].reduce(
      (y) => grad(y.sin().sum(), [wide[0]], { createGraph: true })[0],
      norm(wide[0], wide[1], wide[2]),
    );
    expectClose(third, plainThird, { atol: 1e-3 * Math.max(1, plainThird.abs().amax().item()), rtol: 1e-3 });
  });

  test("under autocast the first derivative is as without createGraph", () => {
    const [x, w, b] = [leaf(3, 16), leaf(16), leaf(16)];
    const y = autocast({}, () => F.fusedLayerNorm(x, w, b))
      .float()
      .square()
      .sum();
    const [plain] = grad(y, [x], { retainGraph: true });
    const [recorded] = grad(y, [x], { createGraph: true });
    expectClose(recorded, plain, { atol: 0.05, rtol: 0.05 });
    expect(recorded.requiresGrad).toBe(true);
  });
});
