import {
  autocast,
  cat,
  type DType,
  F,
  Generator,
  grad,
  noGrad,
  optim,
  randn,
  stack,
  type Tensor,
  zeros,
} from "@omni-id/torch";
import { describe, expect, test } from "vitest";
import { adamwStep_, muonStep_ } from "../src/fused.ts";
import { expectClose } from "./close.ts";

const generator = new Generator(11);
export const leaf = (shape: number[], dtype: DType = "float32") =>
  randn(shape, { generator }).to(dtype).requiresGrad_();

/** Values and gradients of a fused operator against the plain one in float32. */
export function expectSame(
  fused: (...t: Tensor[]) => Tensor,
  plain: (...t: Tensor[]) => Tensor,
  inputs: Tensor[],
  { atol = 2e-6, rtol = 2e-5 } = {},
): void {
  const wide = inputs.map((t) => t.detach().float().requiresGrad_());
  const [ours, theirs] = [fused(...inputs), plain(...wide)];
  expect(ours.shape).toEqual(theirs.shape);
  expectClose(ours, theirs, { atol, rtol });
  const weights = randn(theirs.shape as number[], { generator });
  const ourGradients = grad(ours, inputs, { gradOutputs: [weights.to(ours.dtype)] });
  const theirGradients = grad(theirs, wide, { gradOutputs: [weights] });
  ourGradients.forEach((g, i) => {
    expect(g.dtype).toBe(inputs[i].dtype);
    const size = theirGradients[i].abs().amax().item();
    expectClose(g, theirGradients[i], { atol: atol * Math.max(1, size), rtol });
  });
}
/** What bfloat16 leaves. */
export const half = { atol: 0.03, rtol: 0.03 };

function plainAttention(q: Tensor, k: Tensor, v: Tensor, heads: number, mask?: Tensor): Tensor {
  const split = (t: Tensor) => t.unflatten(2, [heads, t.shape[2] / heads]).transpose(1, 2);
  return F.scaledDotProductAttention(split(q), split(k), split(v), { mask: mask?.unsqueeze(1).unsqueeze(1) })
    .transpose(1, 2)
    .flatten(2);
}

/** Values and gradients of the fused operators against the plain ones, by the loops that are in use. */
export function testFused(): void {
  describe("attention on packed projections", () => {
    const plainQkv = (heads: number, mask?: Tensor) => (qkv: Tensor) => {
      const [q, k, v] = qkv.chunk(3, 2);
      return plainAttention(q, k, v, heads, mask);
    };
    test.each([
      [2, 5, 2, 4], // smaller than a vector
      [1, 16, 4, 32],
      [2, 49, 2, 24], // nothing divides evenly
      [1, 130, 1, 64], // more rows than one block
      [3, 1, 1, 8],
    ])("qkv: batch %i, %i tokens, %i heads of %i", (batch, tokens, heads, depth) => {
      const shape = [batch, tokens, 3 * heads * depth];
      expectSame((x) => F.attentionPackedQkv(x, heads), plainQkv(heads), [leaf(shape)]);
      expectSame((x) => F.attentionPackedQkv(x, heads), plainQkv(heads), [leaf(shape, "bfloat16")], half);
    });

    test.each([
      [2, 32, 49, 4, 32],
      [1, 96, 7, 2, 16],
      [2, 3, 200, 1, 80],
    ])("q and kv: batch %i, %i queries, %i keys, %i heads of %i", (batch, queries, keys, heads, depth) => {
      const inputs = (dtype: DType) => [
        leaf([batch, queries, heads * depth], dtype),
        leaf([batch, keys, 2 * heads * depth], dtype),
      ];
      const plain = (q: Tensor, kv: Tensor) => plainAttention(q, ...(kv.chunk(2, 2) as [Tensor, Tensor]), heads);
      expectSame((q, kv) => F.attentionPackedKv(q, kv, heads), plain, inputs("float32"));
      expectSame((q, kv) => F.attentionPackedKv(q, kv, heads), plain, inputs("bfloat16"), half);
    });

    test("masked keys are not seen and get no gradient; with nothing to see the result is 0, in float64 too", () => {
      const keyMask = zeros([2, 9], { dtype: "bool" });
      keyMask.at(0, { end: 4 }).fill_(1);
      const rest = zeros([2, 9], { dtype: "bool" });
      rest.copy_(keyMask).at(1).fill_(1);
      expectSame((x) => F.attentionPackedQkv(x, 2, { keyMask: rest }), plainQkv(2, rest), [leaf([2, 9, 24])]);
      const x = leaf([2, 9, 24]);
      const out = F.attentionPackedQkv(x, 2, { keyMask });
      out.sum().backward();
      expect(out.at(1).abs().amax().item()).toBe(0);
      const wide = x.detach().double().requiresGrad_();
      const plain = F.attentionPackedQkv(wide, 2, { keyMask });
      expectClose(plain, out, { atol: 1e-6 });
      expectClose(grad(plain.sum(), [wide])[0], x.grad as Tensor, { atol: 1e-6 });
      expect((x.grad as Tensor).at(0, { start: 4 }, { start: 8 }).abs().amax().item()).toBe(0);
    });

    test("a strided input, float64 and noGrad work; wrong shapes are errors", () => {
      const x = randn([5, 2, 24], { generator }).transpose(0, 1);
      expectClose(F.attentionPackedQkv(x, 2), plainQkv(2)(x));
      expectClose(F.attentionPackedQkv(x.double(), 2), plainQkv(2)(x.double()), { atol: 1e-12 });
      expectClose(
        noGrad(() => F.attentionPackedQkv(leaf([1, 3, 24]).mul(0), 2)),
        zeros([1, 3, 8]),
      );
      expect(() => F.attentionPackedQkv(randn([1, 3, 25]), 2)).toThrow("expected qkv of [B, N, 3 · heads · D]");
      expect(() => F.attentionPackedKv(randn([1, 3, 8]), randn([1, 3, 8]), 2)).toThrow("expected q of [B, N, W]");
      expect(() => F.attentionPackedQkv(x, 2, { keyMask: zeros([2, 4], { dtype: "bool" }) })).toThrow(
        "key mask must be bool [2, 5]",
      );
    });
  });

  describe("RMSNorm and rotary positions of packed queries and keys", () => {
    /** By complex numbers, pair by pair. */
    const plain = (heads: number, turns: Tensor) => (qkv: Tensor, queryScale: Tensor, keyScale: Tensor) => {
      const [q, k, v] = qkv.chunk(3, 2);
      const angle = turns.ndim === 2 ? turns.unsqueeze(0) : turns;
      const [cos, sin] = angle
        .unflatten(-1, [-1, 2])
        .unbind(-1)
        .map((t) => t.unsqueeze(2));
      const normed = [q, k].map((t, i) => {
        const x = F.rmsNorm(t.unflatten(2, [heads, -1]), [t.shape[2] / heads], [queryScale, keyScale][i]);
        const [a, b] = x.unflatten(-1, [-1, 2]).unbind(-1);
        return stack([a.mul(cos).sub(b.mul(sin)), a.mul(sin).add(b.mul(cos))], -1).flatten(2);
      });
      return cat([...normed, v], 2);
    };
    const turnsOf = (shape: number[]) => {
      const angle = randn([...shape.slice(0, -1), (shape.at(-1) as number) / 2], { generator });
      return stack([angle.cos(), angle.sin()], -1).flatten(-2);
    };

    test.each([
      [2, 5, 3, 6], // smaller than a vector
      [1, 40, 2, 32],
      [3, 17, 1, 38], // nothing divides evenly
      [2, 9, 4, 128],
    ])("batch %i, %i tokens, %i heads of %i", (batch, tokens, heads, depth) => {
      const shape = [batch, tokens, 3 * heads * depth];
      for (const turns of [turnsOf([tokens, depth]), turnsOf([batch, tokens, depth])]) {
        const fused = (qkv: Tensor, queryScale: Tensor, keyScale: Tensor) =>
          F.qkNormRope(qkv, { heads, queryScale, keyScale, turns });
        const scales = [leaf([depth]), leaf([depth])];
        expectSame(fused, plain(heads, turns), [leaf(shape), ...scales]);
        expectSame(fused, plain(heads, turns), [leaf(shape, "bfloat16"), ...scales], half);
        const bf16 = [leaf([depth], "bfloat16"), leaf([depth], "bfloat16")];
        expectSame(fused, plain(heads, turns), [leaf(shape, "bfloat16"), ...bf16], { atol: 0.06, rtol: 0.06 });
      }
    });

    test("a strided input and float64 work; wrong shapes are errors", () => {
      const x = randn([5, 2, 24], { generator }).transpose(0, 1);
      const [queryScale, keyScale, turns] = [leaf([4]), leaf([4]), turnsOf([5, 4])];
      const options = { heads: 2, queryScale, keyScale, turns };
      const wanted = plain(2, turns)(x, queryScale, keyScale);
      expectClose(F.qkNormRope(x, options), wanted);
      for (const positions of [turns, turns.expand([2, 5, 4])]) {
        expectClose(F.qkNormRope(x.double(), { ...options, turns: positions }), wanted);
      }
      expect(() => F.qkNormRope(x, { ...options, heads: 4 })).toThrow("each scale must have one number a channel");
      expect(() => F.qkNormRope(x, { ...options, heads: 8 })).toThrow("with an even D");
      expect(() => F.qkNormRope(x, { ...options, turns: turnsOf([6, 4]) })).toThrow(
        "turns must be [N, D] or [B, N, D]",
      );
    });
  });

  describe("bias and GELU", () => {
    test.each(["none", "tanh"] as const)("approximate %s", (approximate) => {
      const plain = (x: Tensor, b: Tensor) => F.gelu(x.add(b), { approximate });
      for (const shape of [
        [3, 5, 37],
        [200, 16],
      ]) {
        const n = shape.at(-1) as number;
        expectSame((x, b) => F.biasGelu(x, b, { approximate }), plain, [leaf(shape), leaf([n])]);
        expectSame((x, b) => F.biasGelu(x, b, { approximate }), plain, [leaf(shape, "bfloat16"), leaf([n])], half);
      }
    });
    test("far from zero: no overflow, no NaN, NaN stays NaN", () => {
      const x = randn([1, 6], { generator }).copy_(F.pad(zeros([1, 1]), [0, 5]));
      (x.data() as Float32Array).set([-1e30, -60, -9, 9, 60, 1e30]);
      for (const approximate of ["none", "tanh"] as const) {
        const y = F.biasGelu(x.requiresGrad_(), zeros([6]), { approximate });
        expectClose(y, [0, 0, 0, 9, 60, 1e30], { atol: 1e-5, rtol: 1e-6 });
        expectClose(grad(y.sum(), [x])[0], [0, 0, 0, 1, 1, 1], { atol: 1e-5 });
      }
      expect(
        F.biasGelu(x.detach().clone().fill_(Number.NaN).bfloat16(), zeros([6]))
          .at(0, 0)
          .item(),
      ).toBeNaN();
    });
    test("float64 takes the plain way; a wrong bias is an error", () => {
      const x = randn([2, 3], { dtype: "float64" });
      expectClose(F.biasGelu(x, zeros([3], { dtype: "float64" })), F.gelu(x), { atol: 1e-12 });
      expect(() => F.biasGelu(x, zeros([2]))).toThrow("one number a channel");
    });
  });

  describe("residual and LayerNorm", () => {
    const norm = (x: Tensor, w: Tensor, b: Tensor) => F.layerNorm(x, [w.shape[0]], w, b);
    test.each([[[4, 7]], [[2, 5, 128]], [[300, 33]]])("layer norm of %j", (shape) => {
      const n = shape.at(-1) as number;
      expectSame((x, w, b) => F.fusedLayerNorm(x, w, b), norm, [leaf(shape), leaf([n]), leaf([n])]);
    });
    test.each<[number[], DType]>([
      [[4, 7], "float32"],
      [[2, 5, 128], "bfloat16"],
      [[300, 33], "bfloat16"],
    ])("sum and norm of %j with a %s branch", (shape, dtype) => {
      const n = shape.at(-1) as number;
      const inputs = [leaf(shape), leaf(shape, dtype), leaf([n]), leaf([n])];
      const both = (sum: Tensor, normed: Tensor) => sum.mul(0.3).add(normed);
      const tolerance = dtype === "bfloat16" ? { atol: 0.01, rtol: 0.01 } : {};
      expectSame(
        (x, d, w, b) => both(...F.addLayerNorm(x, d, w, b)),
        (x, d, w, b) => both(x.add(d), norm(x.add(d), w, b)),
        inputs,
        tolerance,
      );
    });
    test("under autocast the norm comes in bfloat16, the sum in float32", () => {
      const [x, w, b] = [leaf([3, 16]), leaf([16]), leaf([16])];
      autocast({}, () => {
        const [sum, normed] = F.addLayerNorm(x, x.bfloat16(), w, b);
        expect([sum.dtype, normed.dtype, F.fusedLayerNorm(x, w, b).dtype]).toEqual(["float32", "bfloat16", "bfloat16"]);
      });
      expectSame((x, w, b) => autocast({}, () => F.fusedLayerNorm(x, w, b)), norm, [x, w, b], half);
    });
  });

  describe("optimiser steps", () => {
    const shapes = [
      [40, 30],
      [30, 40],
      [40, 30],
      [16, 16],
    ];
    const twins = () => {
      const ours = shapes.map((shape) => leaf(shape));
      return { ours, theirs: ours.map((t) => t.detach().clone().requiresGrad_()) };
    };
    const give = (params: Tensor[], grads: Tensor[]) => {
      for (const [i, param] of params.entries()) param.grad = grads[i].clone();
    };

    test("AdamW equals the plain one over ten steps", () => {
      const { ours, theirs } = twins();
      const state = () => ours.map((p) => zeros(p.shape));
      const [means, squares] = [state(), state()];
      const settings = { lr: 0.01, betas: [0.9, 0.95] as const, eps: 1e-8, weightDecay: 0.1 };
      const reference = new optim.AdamW(theirs, settings);
      for (let step = 1; step <= 10; step++) {
        const grads = ours.map((p) => randn(p.shape as number[], { generator }));
        give(theirs, grads);
        reference.step();
        noGrad(() => adamwStep_(ours, grads, means, squares, { ...settings, steps: ours.map(() => step) }));
      }
      for (const [i, p] of ours.entries()) expectClose(p, theirs[i], { atol: 1e-6 });
    });

    test("Muon equals the plain one in float32", () => {
      const { ours, theirs } = twins();
      const momenta = ours.map((p) => zeros(p.shape));
      const momenta2 = ours.map((p) => zeros(p.shape));
      for (let step = 0; step < 3; step++) {
        const grads = ours.map((p) => randn(p.shape as number[], { generator }));
        noGrad(() => {
          muonStep_(ours, grads, momenta, {
            lr: 0.02,
            momentum: 0.95,
            weightDecay: 0.01,
            nesterov: true,
            steps: 5,
            dtype: "float32",
          });
          theirs.forEach((p, i) => {
            momenta2[i].lerp_(grads[i], 0.05);
            const update = grads[i].lerp(momenta2[i], 0.95);
            const [rows, columns] = p.shape;
            let x = rows > columns ? update.t() : update;
            x = x.div(x.norm().add(1e-7));
            for (let k = 0; k < 5; k++) {
              const gram = x.mm(x.t());
              x = x.mul(3.4445).add(gram.mul(-4.775).add(gram.mm(gram).mul(2.0315)).mm(x));
            }
            p.mul_(1 - 0.02 * 0.01).sub_(rows > columns ? x.t() : x, {
              alpha: 0.02 * Math.sqrt(Math.max(1, rows / columns)),
            });
          });
        });
      }
      for (const [i, p] of ours.entries()) expectClose(p, theirs[i], { atol: 1e-5 });
    });

    test("what does not fit is an error", () => {
      const p = leaf([2, 2]);
      const step = { lr: 1, betas: [0.9, 0.9] as const, eps: 1e-8, weightDecay: 0, steps: [1] };
      expect(() => adamwStep_([p], [], [p], [p], step)).toThrow("1 parameters, 0 gradients");
      expect(() => adamwStep_([p], [zeros([3])], [p], [p], step)).toThrow("parameter 0: contiguous float32");
    });
  });
}
